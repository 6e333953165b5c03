-- One row: unchunked, the parses of a source that a chunker has not chunked. Parses that another
-- worker has claimed count too.
select count(*) as unchunked
{work_left/unchunked_parses}
