-- The generations of a collection, or of all if it is null; or only the generation of an id. In
-- order of collection and id. Dropped ones are included.
select
  g.id,
  c.name as collection,
  g.state,
  e.model as embedding_model,
  e.dimension,
  (g.chunking ->> 'max_tokens')::integer as max_tokens,
  (g.chunking ->> 'overlap_tokens')::integer as overlap_tokens,
  rtrim(g.language) as language,
  g.analysis_version,
  g.entry_count as entries,
  (
    select count(*)
    from ragline.placements as p
    where p.generation_id = g.id
  ) as documents,
  g.created_at,
  g.promoted_at,
  g.retired_at,
  g.held_at
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  (cast(:collection as text) is null or c.name = cast(:collection as text))
  and (cast(:generation_id as bigint) is null or g.id = cast(:generation_id as bigint))
order by c.name, g.id
