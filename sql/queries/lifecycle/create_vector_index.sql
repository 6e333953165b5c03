-- Creates the approximate index over a generation's vectors. It cannot run inside a transaction.
create index concurrently if not exists entries_generation_embedding_idx
on ragline.entries_generation using hnsw (embedding halfvec_cosine_ops)
