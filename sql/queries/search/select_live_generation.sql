-- Returns one row: the live generation of a collection, with its calibrations. They are null if it
-- has no calibration. All columns except has_vector_index are null if the collection has no live
-- generation yet. Returns no row if the collection does not exist.
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
from ragline.collections as c
left join ragline.generations as g on g.id = c.live_generation_id
left join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where
  c.name = cast(:collection as text)
  and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
