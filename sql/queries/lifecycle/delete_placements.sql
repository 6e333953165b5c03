-- Deletes the placements of some documents in a generation. A placement records the entries that a
-- document has in a generation.
delete from ragline.placements
where
  generation_id = cast(:generation_id as bigint)
  and document_key = any(cast(:document_keys as bigint[]))
