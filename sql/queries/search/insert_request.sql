-- Keeps one search.
insert into ragline.search_requests (
  id, collection, generation_id, query, mode, top_k, is_reranked, hit_count,
  embed_ms, retrieve_ms, rerank_ms, total_ms, hits
)
values (
  cast(:id as uuid),
  cast(:collection as text),
  cast(:generation_id as bigint),
  cast(:query as text),
  cast(:mode as text),
  cast(:top_k as integer),
  cast(:is_reranked as boolean),
  cast(:hit_count as integer),
  cast(:embed_ms as real),
  cast(:retrieve_ms as real),
  cast(:rerank_ms as real),
  cast(:total_ms as real),
  cast(:hits as jsonb)
)
