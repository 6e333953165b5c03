-- Returns one row for each day (UTC) between :start and :end on which a collection was searched,
-- oldest first. A row has the number of searches, the number of searches without a hit, and p50 and
-- p95 of each stage in milliseconds. The percentiles of a stage are null if no search used the
-- stage. Only the newest :most searches are read.
with searches as (
  select
    requested_at, mode, is_reranked, hit_count, is_abstained, embed_ms, retrieve_ms, rerank_ms,
    total_ms
  from ragline.search_requests
  where
    requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
    and collection = cast(:collection as text)
  order by requested_at desc
  limit cast(:most as integer)
)
select
  (requested_at at time zone 'UTC')::date as day,
  count(*) as requests,
  count(*) filter (where hit_count = 0 and not is_abstained) as zero_results,
  percentile_cont(array[0.5, 0.95]) within group (order by total_ms) as total_ms,
  percentile_cont(array[0.5, 0.95]) within group (order by embed_ms)
    filter (where mode <> 'keyword') as embed_ms,
  percentile_cont(array[0.5, 0.95]) within group (order by retrieve_ms) as retrieve_ms,
  percentile_cont(array[0.5, 0.95]) within group (order by rerank_ms)
    filter (where is_reranked) as rerank_ms
from searches
group by day
order by day
