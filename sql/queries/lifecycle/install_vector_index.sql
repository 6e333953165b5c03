-- Gives a new vector index the name under which searches find it.
alter index ragline.entries_generation_embedding_new
rename to entries_generation_embedding_idx
