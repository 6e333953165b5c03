-- Returns one row for each collection, by name: statistics of the newest :most searches between
-- :start and :end. A list contains the percentiles p50, p95 and p99. If :collection is null, all
-- collections are read.
with searches as (
  select
    id, collection, mode, is_reranked, hit_count, is_abstained, stale_count, embed_ms, retrieve_ms,
    rerank_ms, total_ms
  from ragline.search_requests
  where
    requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
    and (cast(:collection as text) is null or collection = cast(:collection as text))
  order by requested_at desc
  limit cast(:most as integer)
),
feedback as (
  select
    a.collection,
    f.request_id,
    count(*) filter (where f.kind = 'click') as clicks,
    count(*) filter (where f.kind = 'answer_used') as answers_used,
    count(*) filter (where f.kind = 'useful') as useful,
    count(*) filter (where f.kind = 'not_useful') as not_useful,
    min(f.rank) filter (where f.kind = 'click') as first_rank
  from ragline.given_feedback as f
  join searches as a on a.id = f.request_id
  group by a.collection, f.request_id
),
summed as (
  select
    collection,
    sum(clicks) as clicks,
    sum(answers_used) as answers_used,
    sum(useful) as useful,
    sum(not_useful) as not_useful,
    count(*) filter (where clicks > 0) as clicked_requests,
    avg(1.0 / first_rank) as reciprocal_rank
  from feedback
  group by collection
)
select
  a.collection,
  count(*) as requests,
  count(*) filter (where a.hit_count = 0 and not a.is_abstained) as zero_results,
  count(*) filter (where a.is_abstained) as abstained,
  sum(a.hit_count) as hits,
  sum(a.stale_count) as stale_hits,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by a.total_ms) as total_ms,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by a.embed_ms)
    filter (where a.mode <> 'keyword') as embed_ms,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by a.retrieve_ms) as retrieve_ms,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by a.rerank_ms)
    filter (where a.is_reranked) as rerank_ms,
  coalesce(max(s.clicks), 0)::bigint as clicks,
  coalesce(max(s.answers_used), 0)::bigint as answers_used,
  coalesce(max(s.useful), 0)::bigint as useful,
  coalesce(max(s.not_useful), 0)::bigint as not_useful,
  coalesce(max(s.clicked_requests), 0) as clicked_requests,
  max(s.reciprocal_rank)::double precision as reciprocal_rank
from searches as a
left join summed as s on s.collection = a.collection
group by a.collection
order by a.collection
