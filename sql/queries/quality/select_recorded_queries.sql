-- Returns the newest :most searches between :start and :end whose client is known, in order of
-- collection, client and time.
select collection, client, requested_at, query
from (
  select
    collection,
    concat(tenant, '/', client) as client,
    requested_at,
    query
  from ragline.search_requests
  where
    client is not null
    and query <> ''
    and left(query, 7) <> 'sha256:'
    and requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
    and (cast(:collection as text) is null or collection = cast(:collection as text))
  order by requested_at desc
  limit cast(:most as integer)
) as newest
order by collection, client, requested_at
