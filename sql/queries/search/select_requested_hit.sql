-- Returns one row (document_id, entry_id, rank): the first hit of a recorded search that belongs to
-- the given document or entry. All values are null if there is no such hit. Returns no row if the
-- search is not recorded.
select
  h.hit ->> 'document_id' as document_id,
  (h.hit ->> 'entry_id')::bigint as entry_id,
  (h.hit ->> 'rank')::integer as rank
from ragline.search_requests as r
left join lateral (
  select hit
  from jsonb_array_elements(r.hits) as hit
  where
    (cast(:document_id as text) is null or hit ->> 'document_id' = cast(:document_id as text))
    and (
      cast(:entry_id as bigint) is null
      or (hit ->> 'entry_id')::bigint = cast(:entry_id as bigint)
    )
  order by (hit ->> 'rank')::integer
  limit 1
) as h on true
where
  r.id = cast(:request_id as uuid)
  and (cast(:tenant as text) is null or r.tenant = cast(:tenant as text))
