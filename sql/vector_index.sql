-- Creates the approximate index over a generation's vectors, next to the index that it replaces. It
-- cannot run inside a transaction. When the index is created, numbers replace `connections` and
-- `candidates`, and the name of the generation's table replaces `entries_generation`.
create index concurrently entries_generation_embedding_new
on ragline.entries_generation using hnsw (embedding halfvec_cosine_ops)
with (m = connections, ef_construction = candidates)
