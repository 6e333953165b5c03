-- The names of a tenant's collections, or of all, in order.
select name
from ragline.collections
where cast(:tenant as text) is null or tenant = cast(:tenant as text)
order by name
