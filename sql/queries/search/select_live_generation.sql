-- Returns one row: the live generation of a collection, with its calibrations. They are null if it
-- has no calibration. All columns except has_vector_index are null if the collection has no live
-- generation yet. Returns no row if the collection does not exist.
select
{columns/searched_generation}
from ragline.collections as c
left join ragline.generations as g on g.id = c.live_generation_id
left join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  c.name = cast(:collection as text)
  and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
