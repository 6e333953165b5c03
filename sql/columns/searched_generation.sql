-- Columns of a generation g with its embedding space e that a search needs.
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
