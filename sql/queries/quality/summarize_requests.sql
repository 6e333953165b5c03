-- One row a collection: what its searches between :start and :end were like.
with asked as (
  select *
  from ragline.search_requests
  where
    requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
),
judged as (
  select
    a.collection,
    count(*) as feedback_count,
    avg(f.is_useful::integer)::double precision as feedback_precision
  from ragline.feedback as f
  join asked as a on a.id = f.request_id
  group by a.collection
)
select
  a.collection,
  count(*) as requests,
  count(*) filter (where a.hit_count = 0) as zero_results,
  avg((a.hit_count = 0)::integer)::double precision as zero_result_ratio,
  percentile_cont(0.5) within group (order by a.total_ms) as p50_ms,
  percentile_cont(0.95) within group (order by a.total_ms) as p95_ms,
  percentile_cont(0.99) within group (order by a.total_ms) as p99_ms,
  percentile_cont(0.5) within group (order by a.embed_ms) as embed_p50_ms,
  percentile_cont(0.5) within group (order by a.retrieve_ms) as retrieve_p50_ms,
  percentile_cont(0.5) within group (order by a.rerank_ms)
    filter (where a.is_reranked) as rerank_p50_ms,
  percentile_cont(0.5) within group (
    order by (a.hits -> 0 ->> 'score')::double precision
      - (a.hits -> 1 ->> 'score')::double precision
  ) as score_gap,
  coalesce(max(j.feedback_count), 0) as feedback_count,
  max(j.feedback_precision) as feedback_precision
from asked as a
left join judged as j on j.collection = a.collection
group by a.collection
order by a.collection
