-- Returns all pushed documents of a source: (document_id, version, size_bytes, changed_at), in
-- order of id.
select document_id, version, octet_length(content) as size_bytes, changed_at
from ragline.pushed_documents
where source = cast(:source as text) and deleted_at is null
order by document_id
