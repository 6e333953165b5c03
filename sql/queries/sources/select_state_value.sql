-- One row: the saved value of a key of a source; no row when it does not exist.
select value
from ragline.source_notes
where source = cast(:source as text) and key = cast(:key as text)
