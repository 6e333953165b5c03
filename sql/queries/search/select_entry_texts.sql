-- Returns the texts of a document's entries as searches read them: (id, text), in the order of the
-- document.
select
  e.id,
  e.header || e.text as text
from ragline.entries_generation as e
where e.document_key = cast(:document_key as bigint)
order by e.ordinal
