-- Drops a generation's vector index, also an invalid one; not inside a transaction.
drop index concurrently if exists ragline.entries_generation_embedding_idx
