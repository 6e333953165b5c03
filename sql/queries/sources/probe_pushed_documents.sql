-- One row: the latest version of a source's documents, and their number. An index-only scan. A
-- put increases the version; a deletion decreases the number.
select max(version) as latest_version, count(*) as documents
from ragline.pushed_documents
where source = cast(:source as text) and deleted_at is null
