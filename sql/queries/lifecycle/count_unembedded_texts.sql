-- One row: unembedded, the distinct texts of a source that have no vector and that a generation
-- needs. Texts that another worker has claimed count too.
select count(distinct c.text_hash) as unembedded
{work_left/unembedded_texts}
