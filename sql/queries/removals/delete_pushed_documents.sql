-- Deletes the documents that callers pushed to a source, and the tombstones of deleted documents.
delete from ragline.pushed_documents
where source = cast(:source as text)
