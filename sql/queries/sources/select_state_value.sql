-- Returns one row with the stored value of a key of a source, or no row if there is none.
select value
from ragline.source_notes
where source = cast(:source as text) and key = cast(:key as text)
