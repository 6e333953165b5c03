-- Deletes the feedback on some documents in the searches of a collection. The row count is their
-- number.
delete from ragline.feedback as f
using ragline.search_requests as r
where
  r.id = f.request_id
  and r.collection = cast(:collection as text)
  and f.document_id = any(cast(:document_ids as text[]))
