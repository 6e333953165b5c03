-- One row: outdated, the documents of a source whose entries in a generation differ from the ledger.
-- Documents that another worker has claimed count too.
select count(*) as outdated
{work_left/outdated_documents}
