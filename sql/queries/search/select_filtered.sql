-- The entries that a search's filter lets through, the first :limit of them: (id). The filter takes
-- the place of the marked condition.
select e.id
from ragline.entries_generation as e
where
  true /* filter */
  and (
    cast(:principals as text[]) is null
    or e.principals is null
    or e.principals && cast(:principals as text[])
  )
limit cast(:limit as integer)
