-- Returns the ids of the entries that satisfy the condition of a search, at most :limit. The
-- condition replaces the marked condition.
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
