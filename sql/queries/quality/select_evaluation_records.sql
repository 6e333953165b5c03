-- Returns stored evaluations with their evidence, newest first, at most :limit. :id selects one
-- evaluation, :collection those of a collection, and :generation_id those of a generation. A null
-- selects all.
select
  id,
  run_id,
  collection,
  generation_id as generation,
  mode,
  is_reranked as rerank,
  measures,
  query_count as queries,
  failed_count as failed,
  seconds,
  evaluated_at,
  golden_hash as golden_version,
  golden_folder,
  split,
  unanswerable_count as unanswerable,
  unanswerable_hit_count as unanswerable_with_hits,
  space_fingerprint,
  chunker_fingerprint,
  parser_fingerprints,
  content_fingerprint,
  settings,
  code_version,
  seed
from ragline.evaluations
where
  (cast(:id as bigint) is null or id = cast(:id as bigint))
  and (cast(:collection as text) is null or collection = cast(:collection as text))
  and (
    cast(:generation_id as bigint) is null or generation_id = cast(:generation_id as bigint)
  )
order by evaluated_at desc, id desc
limit cast(:limit as integer)
