-- Stores the calibration of one kind of search of a generation. It replaces an older one.
insert into ragline.calibrations (
  generation_id, mode, is_reranked, model, reason, figures, golden_set_version, settings_fingerprint,
  code_version
)
values (
  cast(:generation_id as bigint),
  cast(:mode as text),
  cast(:is_reranked as boolean),
  cast(:model as jsonb),
  cast(:reason as text),
  cast(:figures as jsonb),
  cast(:golden_set_version as text),
  cast(:settings_fingerprint as text),
  cast(:code_version as text)
)
on conflict (generation_id, mode, is_reranked) do update
set
  model = excluded.model,
  reason = excluded.reason,
  figures = excluded.figures,
  golden_set_version = excluded.golden_set_version,
  settings_fingerprint = excluded.settings_fingerprint,
  code_version = excluded.code_version,
  created_at = excluded.created_at
