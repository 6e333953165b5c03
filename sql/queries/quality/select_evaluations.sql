-- Returns the evaluations of a collection between :start and :end, oldest first. If there are more
-- than :most, the newest are returned.
select
  id,
  generation_id,
  golden_hash,
  split,
  mode,
  is_reranked,
  measures,
  query_count,
  failed_count,
  evaluated_at
from (
  select
    id,
    generation_id,
    golden_hash,
    coalesce(split, 'test') as split,
    mode,
    is_reranked,
    measures,
    query_count,
    failed_count,
    evaluated_at
  from ragline.evaluations
  where
    collection = cast(:collection as text)
    and evaluated_at >= cast(:start as timestamptz)
    and evaluated_at < cast(:end as timestamptz)
  order by evaluated_at desc, id desc
  limit cast(:most as integer)
) as newest
order by evaluated_at, id
