-- Returns one row (unembedded): the number of distinct texts of a source that a generation needs
-- and that have no vector. Texts that another worker has claimed are counted too.
select count(distinct c.text_hash) as unembedded
{work_left/unembedded_texts}
