-- Returns one row: a generation of a collection, with its embedding space, its counts, the bytes of
-- its table with all indexes, and the parameters of its vector index. Without a table, the bytes are
-- 0. Without a vector index, index_parameters is null. Returns no row if the collection has no such
-- generation.
select
  g.id,
  g.state,
  g.created_at,
  g.promoted_at,
  g.retired_at,
  g.held_at,
  e.model,
  e.dimension,
  e.description as space,
  e.fingerprint as space_fingerprint,
  g.chunker_fingerprint,
  g.chunking,
  rtrim(g.language) as language,
  g.analysis_version,
  g.entry_count as entries,
  g.lexeme_count as lexemes,
  (
    select count(*)
    from ragline.placements as p
    where p.generation_id = g.id and p.entry_count > 0
  ) as documents,
  coalesce(pg_total_relation_size(to_regclass('ragline.entries_' || g.id)), 0) as size_bytes,
  hnsw.parameters as index_parameters,
  coalesce(hnsw.size_bytes, 0) as index_bytes
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
left join lateral (
{columns/valid_vector_index}
) as hnsw on true
where g.id = cast(:generation_id as bigint) and c.name = cast(:collection as text)
