-- The names of all collections, in order.
select name
from ragline.collections
order by name
