-- Returns one row: the start of the last complete listing of a source, or null.
select s.listed_at
from ragline.sources as s
where s.name = cast(:source as text)
