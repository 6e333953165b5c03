-- Returns a sample of at most :count searches of a collection between :start and :end whose text
-- was recorded. For the same searches the sample is the same each time. Its order does not depend
-- on time.
select id, query, hit_count, (hits -> 0 ->> 'entry_id')::bigint as first_entry_id, generation_id
from ragline.search_requests
where
  collection = cast(:collection as text)
  and query <> ''
  and left(query, 7) <> 'sha256:'
  and requested_at >= cast(:start as timestamptz)
  and requested_at < cast(:end as timestamptz)
order by md5(id::text)
limit cast(:count as integer)
