-- Returns one row (latest_version, documents): the latest version of a source's documents, and
-- their number. A write increases the version, and a deletion decreases the number. Postgres uses
-- an index-only scan.
select max(version) as latest_version, count(*) as documents
from ragline.pushed_documents
where source = cast(:source as text) and deleted_at is null
