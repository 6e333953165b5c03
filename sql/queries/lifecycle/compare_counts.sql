-- One row: is_equal, whether a generation's table has as many entries as its counts say.
select (select count(*) from ragline.entries_generation) = g.entry_count as is_equal
from ragline.generations as g
where g.id = cast(:generation_id as bigint)
