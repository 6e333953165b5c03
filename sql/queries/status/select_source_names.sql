-- Returns the names of all sources, in order.
select name
from ragline.sources
order by name
