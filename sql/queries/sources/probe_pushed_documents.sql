-- One row: the latest version among a source's documents, and how many there are. From the index
-- alone; a put raises the first, a deletion lowers the second.
select max(version) as latest_version, count(*) as documents
from ragline.pushed_documents
where source = cast(:source as text) and deleted_at is null
