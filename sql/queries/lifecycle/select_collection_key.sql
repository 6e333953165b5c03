-- The key of a collection; no row when it does not exist.
select id
from ragline.collections
where name = cast(:name as text)
