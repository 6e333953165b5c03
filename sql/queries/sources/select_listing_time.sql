-- Returns the time of the last complete listing of a source as one row (listed_at), or no row if the
-- source was never synced.
select s.listed_at
from ragline.sources as s
where s.name = cast(:source as text)
