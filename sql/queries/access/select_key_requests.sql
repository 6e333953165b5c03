-- Returns the accepted requests of a key, counted by method, path, collection and status. The rows
-- with the latest requests come first.
select
  method,
  path,
  collection,
  status,
  count(*) as requests,
  min(happened_at) as first_at,
  max(happened_at) as last_at
from ragline.audit_events
where key_id = cast(:public_id as text)
group by method, path, collection, status
order by last_at desc, method, path, collection, status
