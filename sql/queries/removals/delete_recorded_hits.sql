-- Deletes the hits of a source's documents from the recorded searches of its collection. The row
-- count is the number of changed searches.
update ragline.search_requests as r
set hits = coalesce(
  (
    select jsonb_agg(h.hit order by h.position)
    from jsonb_array_elements(r.hits) with ordinality as h (hit, position)
    where h.hit ->> 'document_id' <> all(cast(:document_ids as text[]))
  ),
  '[]'::jsonb
)
where
  r.collection = cast(:collection as text)
  and exists (
    select
    from jsonb_array_elements(r.hits) as h
    where h ->> 'document_id' = any(cast(:document_ids as text[]))
  )
