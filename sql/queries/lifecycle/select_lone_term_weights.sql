-- Returns the ids of the generations that have a table of term weights and no table of entries, in
-- order.
select g.id
from ragline.generations as g
where
  to_regclass('ragline.term_weights_' || g.id) is not null
  and to_regclass('ragline.entries_' || g.id) is null
order by g.id
