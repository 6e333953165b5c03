-- Gives a collection to the tenant that the configuration names.
update ragline.collections
set tenant = cast(:tenant as text)
where name = cast(:collection as text) and tenant <> cast(:tenant as text)
