-- Chunks of one document in a generation, in their order, from the :first_chunk-th on, as far as
-- :principals may read them (null reads everything).
select
  e.title,
  e.text,
  e.char_start,
  e.char_end,
  e.metadata,
  e.content_hash,
  e.source_changed_at
from ragline.entries_generation as e
where
  e.document_key = cast(:document_key as bigint)
  and (
    cast(:principals as text[]) is null
    or e.principals is null
    or e.principals && cast(:principals as text[])
  )
order by e.ordinal
offset cast(:first_chunk as integer)
limit cast(:limit as integer)
