-- The generations of a collection that are not dropped, abandoned and refused ones too, oldest first.
select
  g.id,
  g.state,
  g.embedding_space_id,
  g.chunker_fingerprint,
  g.chunking,
  rtrim(g.language) as language,
  g.analysis_version,
  g.entry_count,
  g.lexeme_count,
  g.weighted_length,
  g.promoted_at,
  g.retired_at,
  g.held_at,
  e.fingerprint as space_fingerprint,
  e.model,
  e.dimension
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where c.name = cast(:collection as text) and g.state <> 'dropped'
order by g.id
