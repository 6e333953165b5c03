-- Returns one row (outdated): the number of a source's documents whose entries in a generation
-- differ from the ledger. Documents that another worker has claimed are counted too.
select count(*) as outdated
{work_left/outdated_documents}
