-- Returns one row: the live generation of a collection, with its calibrations and the search settings
-- of the release. The settings are null if the collection has no release, and the calibrations if it
-- has none. All columns except has_vector_index and released are null if the collection has no live
-- generation yet. Returns no row if the collection does not exist.
select
  (
    select r.settings
    from ragline.releases as r
    where r.collection_id = c.id
    order by r.id desc
    limit 1
  ) as released,
{columns/searched_generation}
from ragline.collections as c
left join ragline.generations as g on g.id = c.live_generation_id
left join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  c.name = cast(:collection as text)
  and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
