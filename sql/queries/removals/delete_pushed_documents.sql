-- Deletes what callers pushed to a source, and the marks of what they deleted.
delete from ragline.pushed_documents
where source = cast(:source as text)
