-- One row: the entries that a generation's table holds, counted.
select count(*) as entries
from ragline.entries_generation
