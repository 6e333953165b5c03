-- Returns all entries of a generation, in order of document id, source and ordinal. :model is the
-- model of their vectors.
select
  e.source,
  e.document_id,
  e.ordinal,
  e.title,
  e.text,
  e.heading_path,
  e.page,
  e.char_start,
  e.char_end,
  e.metadata,
  cast(:model as text) as model,
  e.embedding
from ragline.entries_generation as e
order by e.document_id, e.source, e.ordinal
