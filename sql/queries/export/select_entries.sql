-- Every entry of a generation, by document id and ordinal.
select
  e.document_id,
  e.ordinal,
  e.text,
  e.heading_path,
  e.page,
  e.char_start,
  e.char_end,
  e.metadata,
  e.embedding
from ragline.entries_generation as e
order by e.document_id, e.source, e.ordinal
