-- At most :count searches of a collection whose text was kept, between :start and :end, the same ones each time, in an
-- order that has nothing to do with time.
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
