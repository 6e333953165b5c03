-- Deletes the records of which entries some documents have in a generation.
delete from ragline.placements
where
  generation_id = cast(:generation_id as bigint)
  and document_key = any(cast(:document_keys as bigint[]))
