-- Returns the times at which the given documents of a source were last written or deleted:
-- (document_id, changed_at), in any order.
select document_id, changed_at
from ragline.pushed_documents
where source = cast(:source as text) and document_id = any(cast(:document_ids as text[]))
