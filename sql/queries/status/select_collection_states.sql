-- One row for each collection, by name: its live generation, the number of building, candidate and
-- retired generations, and why the configured generation could not be built.
select
  c.name as collection,
  g.id as generation,
  e.model as embedding_model,
  g.entry_count as entries,
  g.promoted_at,
  (
    select count(*)
    from ragline.placements as p
    where p.generation_id = g.id
  ) as documents,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'building'
  ) as building,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'retired'
  ) as retired,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'candidate'
  ) as candidates,
  c.build_error_name,
  c.build_error,
  c.build_error_since
from ragline.collections as c
left join ragline.generations as g on g.id = c.live_generation_id
left join ragline.embedding_spaces as e on e.id = g.embedding_space_id
order by c.name
