-- Returns one row: a generation of a collection, if its table can be searched. The table of a
-- generation that is being built can lack entries. Returns no row if the collection has no such
-- generation, or if the collection belongs to another :tenant. With :is_complete, a generation that
-- is being built is left out.
select
  g.id,
  rtrim(g.language) as language,
  g.analysis_version,
  g.entry_count,
  g.chunker_fingerprint,
  e.fingerprint as space_fingerprint,
  e.model,
  coalesce(
    (
      select i.indisvalid
      from pg_index as i
      where i.indexrelid = to_regclass('ragline.entries_' || g.id || '_embedding_idx')
    ),
    false
  ) as has_vector_index,
  (
    select
      jsonb_agg(
        jsonb_build_object(
          'mode', b.mode, 'is_reranked', b.is_reranked, 'model', b.model, 'reason', b.reason
        )
      )
    from ragline.calibrations as b
    where b.generation_id = g.id
  ) as calibrations
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  g.id = cast(:generation_id as bigint)
  and g.state in ('building', 'candidate', 'live', 'retired')
  and not (g.state = 'building' and cast(:is_complete as boolean))
  and c.name = cast(:collection as text)
  and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
