-- Returns one row with the stored value of a key of a source, or no row if no value is stored.
select value
from ragline.source_notes
where source = cast(:source as text) and key = cast(:key as text)
