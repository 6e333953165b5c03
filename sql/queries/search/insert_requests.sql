-- Inserts many searches, given as a JSON list. A search that is already recorded is not changed.
insert into ragline.search_requests (
  id, requested_at, collection, generation_id, query, mode, top_k, is_reranked, hit_count,
  embed_ms, retrieve_ms, rerank_ms, total_ms, hits, trace_id, tenant, client, stale_count,
  is_canary, is_abstained, best_confidence
)
select
  r.id,
  r.requested_at,
  r.collection,
  r.generation_id,
  r.query,
  r.mode,
  r.top_k,
  r.is_reranked,
  r.hit_count,
  r.embed_ms,
  r.retrieve_ms,
  r.rerank_ms,
  r.total_ms,
  r.hits,
  r.trace_id,
  r.tenant,
  r.client,
  r.stale_count,
  coalesce(r.is_canary, false),
  coalesce(r.is_abstained, false),
  r.best_confidence
from jsonb_to_recordset(cast(:records as jsonb)) as r (
  id uuid,
  requested_at timestamptz,
  collection text,
  generation_id bigint,
  query text,
  mode text,
  top_k integer,
  is_reranked boolean,
  hit_count integer,
  embed_ms real,
  retrieve_ms real,
  rerank_ms real,
  total_ms real,
  hits jsonb,
  trace_id text,
  tenant text,
  client text,
  stale_count integer,
  is_canary boolean,
  is_abstained boolean,
  best_confidence real
)
on conflict (id) do nothing
