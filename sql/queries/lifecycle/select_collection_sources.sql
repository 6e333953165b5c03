-- The ids of the sources of a collection, in order.
select s.id
from ragline.sources as s
where s.collection_id = cast(:collection_id as bigint)
order by s.id
