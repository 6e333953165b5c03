-- Sets the tenant of a collection.
update ragline.collections
set tenant = cast(:tenant as text)
where name = cast(:collection as text) and tenant <> cast(:tenant as text)
