-- Removes a generation's vector index, a broken one too; not inside a transaction.
drop index concurrently if exists ragline.entries_generation_embedding_idx
