-- Returns one row: the values of each measure by query id of one evaluation, or null if they were not
-- stored.
select query_values
from ragline.evaluations
where id = cast(:id as bigint)
