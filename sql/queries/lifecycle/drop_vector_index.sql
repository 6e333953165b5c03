-- Drops a generation's vector index, even if the index is invalid. It cannot run inside a
-- transaction.
drop index concurrently if exists ragline.entries_generation_embedding_idx
