-- Writes the documents that the ledger does not know yet; the row count is what was added.
insert into ragline.documents (source_id, document_id, state, version, changed_at)
select cast(:source_id as bigint), l.document_id, 'pending', l.version, l.changed_at
from listed as l
where not exists (
  select
  from ragline.documents as d
  where d.source_id = cast(:source_id as bigint) and d.document_id = l.document_id
)
