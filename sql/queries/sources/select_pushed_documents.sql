-- Those of the documents that a source has, with their contents; in no order.
select document_id, content, name, is_text, title, metadata, principals
from ragline.pushed_documents
where
  source = cast(:source as text)
  and document_id = any(cast(:document_ids as text[]))
  and deleted_at is null
