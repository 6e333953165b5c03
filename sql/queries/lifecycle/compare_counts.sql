-- Returns one row (is_equal): whether the table of a generation has as many entries as its counts
-- say.
select (select count(*) from ragline.entries_generation) = g.entry_count as is_equal
from ragline.generations as g
where g.id = cast(:generation_id as bigint)
