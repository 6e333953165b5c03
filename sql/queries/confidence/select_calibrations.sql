-- Returns the calibrations of a generation, one row for each kind of search that was calibrated, in
-- the order of mode and reranking.
select
  mode,
  is_reranked,
  model,
  reason,
  figures,
  golden_set_version,
  settings_fingerprint,
  code_version,
  created_at
from ragline.calibrations
where generation_id = cast(:generation_id as bigint)
order by mode, is_reranked
