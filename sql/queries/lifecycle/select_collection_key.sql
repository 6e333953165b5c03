-- Returns the key of a collection, or no row if the collection does not exist.
select id
from ragline.collections
where name = cast(:name as text)
