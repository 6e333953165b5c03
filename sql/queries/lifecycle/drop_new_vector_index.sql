-- Drops what an interrupted creation left of a generation's new vector index. It cannot run inside
-- a transaction.
drop index concurrently if exists ragline.entries_generation_embedding_new
