-- Returns the names of the collections of :tenant, or of all collections if it is null, in order.
select name
from ragline.collections
where cast(:tenant as text) is null or tenant = cast(:tenant as text)
order by name
