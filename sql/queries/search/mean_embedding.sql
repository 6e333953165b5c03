-- Returns one row (embedding): the mean vector of some entries.
select avg(e.embedding) as embedding
from ragline.entries_generation as e
where e.id = any(cast(:ids as bigint[]))
