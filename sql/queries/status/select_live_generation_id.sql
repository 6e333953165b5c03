-- Returns one row (live_generation_id): the live generation of a source's collection, or null.
select c.live_generation_id
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
where s.name = cast(:source as text)
