-- Whether a recorded search returned a document: one row (is_hit), or none without the search.
select exists (
  select
  from jsonb_array_elements(r.hits) as h
  where h ->> 'document_id' = cast(:document_id as text)
) as is_hit
from ragline.search_requests as r
where r.id = cast(:request_id as uuid)
