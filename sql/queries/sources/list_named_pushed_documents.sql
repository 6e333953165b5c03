-- Returns those of the given documents that a source contains: (document_id, version, size_bytes,
-- changed_at), in any order.
select document_id, version, octet_length(content) as size_bytes, changed_at
from ragline.pushed_documents
where
  source = cast(:source as text)
  and document_id = any(cast(:document_ids as text[]))
  and deleted_at is null
