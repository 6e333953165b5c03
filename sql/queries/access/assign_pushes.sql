-- Gives what was pushed to a source to the tenant that the configuration names.
update ragline.pushed_documents
set tenant = cast(:tenant as text)
where source = cast(:source as text) and tenant <> cast(:tenant as text)
