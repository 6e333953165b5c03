-- Inserts one evaluation of a collection, with everything that its figures depend on. Returns its id.
insert into ragline.evaluations (
  run_id, collection, generation_id, golden_hash, mode, is_reranked, measures, query_count,
  failed_count, seconds, unanswerable_count, unanswerable_hit_count, space_fingerprint,
  chunker_fingerprint, parser_fingerprints, content_fingerprint, code_version, golden_folder, split,
  settings, seed, query_values
)
values (
  cast(:run_id as text),
  cast(:collection as text),
  cast(:generation as bigint),
  cast(:golden_version as text),
  cast(:mode as text),
  cast(:rerank as boolean),
  cast(:measures as jsonb),
  cast(:queries as integer),
  cast(:failed as integer),
  cast(:seconds as double precision),
  cast(:unanswerable as integer),
  cast(:unanswerable_with_hits as integer),
  cast(:space_fingerprint as text),
  cast(:chunker_fingerprint as text),
  cast(:parser_fingerprints as text[]),
  cast(:content_fingerprint as text),
  cast(:code_version as text),
  cast(:golden_folder as text),
  cast(:split as text),
  cast(:settings as jsonb),
  cast(:seed as bigint),
  cast(:query_values as jsonb)
)
returning id
