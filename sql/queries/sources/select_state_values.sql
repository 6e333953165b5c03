-- Returns all stored values of a source: (key, value), in order of key.
select key, value
from ragline.source_notes
where source = cast(:source as text)
order by key
