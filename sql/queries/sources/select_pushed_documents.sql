-- Returns those of the given documents that a source contains, with their contents, in any order.
select document_id, content, name, is_text, title, metadata, principals
from ragline.pushed_documents
where
  source = cast(:source as text)
  and document_id = any(cast(:document_ids as text[]))
  and deleted_at is null
