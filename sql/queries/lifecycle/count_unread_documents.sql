-- One row: unread, the documents of a source that must be read. Documents that another worker has
-- claimed count too.
select count(*) as unread
{work_left/unread_documents}
