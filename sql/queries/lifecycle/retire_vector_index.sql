-- Gives a generation's vector index the name of a replaced one.
alter index if exists ragline.entries_generation_embedding_idx
rename to entries_generation_embedding_old
