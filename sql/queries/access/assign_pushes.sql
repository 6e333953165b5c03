-- Sets the tenant of the documents that were pushed to a source.
update ragline.pushed_documents
set tenant = cast(:tenant as text)
where source = cast(:source as text) and tenant <> cast(:tenant as text)
