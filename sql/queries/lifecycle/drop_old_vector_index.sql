-- Drops the vector index of a generation that a new one has replaced. It cannot run inside a
-- transaction.
drop index concurrently if exists ragline.entries_generation_embedding_old
