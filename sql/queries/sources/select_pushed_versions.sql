-- Returns those of the given documents that a source contains, or contained before their deletion:
-- (document_id, version, is_live), in any order.
select document_id, version, deleted_at is null as is_live
from ragline.pushed_documents
where source = cast(:source as text) and document_id = any(cast(:document_ids as text[]))
