-- Marks listed documents that the ledger did not contain before this listing. The row count is
-- their number.
update listed as l
set is_new = true
where not exists (
  select
  from ragline.documents as d
  where
    d.source_id = cast(:source_id as bigint)
    and d.document_id = l.document_id
    and d.state not in ('missing', 'removed')
)
