-- Returns one row: the time of the oldest of the newest :count searches of a generation between
-- :start and :end. The time is null if there are fewer.
select case when count(*) = cast(:count as integer) then min(r.requested_at) end as start
from (
  select requested_at
  from ragline.search_requests
  where
    collection = cast(:collection as text)
    and generation_id = cast(:generation_id as bigint)
    and requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
  order by requested_at desc
  limit cast(:count as integer)
) as r
