-- The names of the collections of a tenant, or of all collections, in order.
select name
from ragline.collections
where cast(:tenant as text) is null or tenant = cast(:tenant as text)
order by name
