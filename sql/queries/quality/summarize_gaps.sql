-- Returns one row for each collection, mode and use of reranking, most frequent first. `gaps` are
-- percentiles (p10, p50, p90) of the difference between the scores of the first and the second hit.
-- Only the newest :most searches between :start and :end are read.
with searches as (
  select collection, mode, is_reranked, hits
  from ragline.search_requests
  where
    requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
    and (cast(:collection as text) is null or collection = cast(:collection as text))
  order by requested_at desc
  limit cast(:most as integer)
)
select
  collection,
  mode,
  is_reranked,
  count(*) as requests,
  percentile_cont(array[0.1, 0.5, 0.9]) within group (
    order by (hits -> 0 ->> 'score')::double precision - (hits -> 1 ->> 'score')::double precision
  ) as gaps
from searches
where jsonb_array_length(hits) > 1
group by collection, mode, is_reranked
order by collection, count(*) desc, mode, is_reranked
