-- One row: value, what a source noted under a key; no row when it noted nothing.
select value
from ragline.source_notes
where source = cast(:source as text) and key = cast(:key as text)
