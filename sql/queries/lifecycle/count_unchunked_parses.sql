-- Returns one row (unchunked): the number of a source's parses that a chunker has not chunked.
-- Parses that another worker has claimed are counted too.
select count(*) as unchunked
{work_left/unchunked_parses}
