-- The texts that a document's entries are found by, in its order: (id, text).
select
  e.id,
  e.header || e.text as text
from ragline.entries_generation as e
where e.document_key = cast(:document_key as bigint)
order by e.ordinal
