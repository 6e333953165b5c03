-- Returns one row: a generation of a collection, if its table can be searched. The table of a
-- generation that is being built can lack entries. Returns no row if the collection has no such
-- generation, or if the collection belongs to another :tenant. With :is_complete, a generation that
-- is being built is left out.
select
{columns/searched_generation}
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  g.id = cast(:generation_id as bigint)
  and g.state in ('building', 'candidate', 'live', 'retired')
  and not (g.state = 'building' and cast(:is_complete as boolean))
  and c.name = cast(:collection as text)
  and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
