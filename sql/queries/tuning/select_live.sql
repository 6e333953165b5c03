-- Returns one row for a collection that has a live generation: the ids of the collection, of the
-- generation and of its embedding space.
select
  c.id as collection_id,
  g.id as generation_id,
  g.embedding_space_id
from ragline.collections as c
join ragline.generations as g on g.id = c.live_generation_id
where c.name = cast(:collection as text)
