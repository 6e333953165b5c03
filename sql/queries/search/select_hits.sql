-- What a hit shows of each entry, in no particular order.
select
  e.id,
  e.document_id,
  e.source,
  e.title,
  e.header,
  e.text,
  e.heading_path,
  e.page,
  e.char_start,
  e.char_end,
  e.ordinal,
  e.metadata,
  e.text_hash,
  e.content_hash,
  e.source_version,
  e.source_changed_at,
  e.parser_fingerprint,
  e.run_id,
  e.indexed_at
from ragline.entries_generation as e
where e.id = any(cast(:ids as bigint[]))
