-- Inserts one evaluation of a collection.
insert into ragline.evaluations (
  run_id, collection, generation_id, golden_hash, mode, is_reranked, measures, query_count,
  failed_count, seconds
)
values (
  cast(:run_id as text),
  cast(:collection as text),
  cast(:generation as bigint),
  cast(:golden_hash as text),
  cast(:mode as text),
  cast(:rerank as boolean),
  cast(:measures as jsonb),
  cast(:queries as integer),
  cast(:failed as integer),
  cast(:seconds as double precision)
)
