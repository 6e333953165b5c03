-- The key of a collection; no row when there is none yet.
select id
from ragline.collections
where name = cast(:name as text)
