-- Returns one row (unread): the number of a source's documents that must be read. Documents that
-- another worker has claimed are counted too.
select count(*) as unread
{work_left/unread_documents}
