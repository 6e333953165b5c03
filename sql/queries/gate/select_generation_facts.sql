-- Returns the generations of a collection that have a table, oldest first: their properties, the
-- size of the table with its indexes in bytes, the number of documents with entries, and the
-- fingerprints of the parsers that read these documents.
select
  g.id,
  g.state,
  e.model,
  e.dimension,
  e.fingerprint as space_fingerprint,
  g.chunker_fingerprint,
  rtrim(g.language) as language,
  g.analysis_version,
  g.entry_count as entries,
  (
    select count(*)
    from ragline.placements as p
    where p.generation_id = g.id and p.entry_count > 0
  ) as documents,
  (
    select coalesce(array_agg(distinct d.parser_fingerprint), '{}')
    from ragline.placements as p
    join ragline.chunkings as k on k.id = p.chunking_id
    join ragline.parses as d on d.id = k.parse_id
    where p.generation_id = g.id
  ) as parser_fingerprints,
  pg_total_relation_size(to_regclass('ragline.entries_' || g.id)) as size_bytes,
  coalesce(
    (
      select i.indisvalid
      from pg_index as i
      where i.indexrelid = to_regclass('ragline.entries_' || g.id || '_embedding_idx')
    ),
    false
  ) as has_vector_index
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  c.name = cast(:collection as text)
  and g.state in ('building', 'candidate', 'live', 'retired')
  and to_regclass('ragline.entries_' || g.id) is not null
order by g.id
