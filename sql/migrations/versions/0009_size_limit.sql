-- The largest document that a source was last read with: a raised limit reads again what was too
-- large.
alter table ragline.sources add column if not exists max_document_bytes bigint;
