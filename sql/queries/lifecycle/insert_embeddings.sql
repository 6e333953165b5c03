-- Keeps the made embeddings; one that another worker kept first stays as it is.
insert into ragline.embeddings (embedding_space_id, text_hash, embedding)
select cast(:embedding_space_id as bigint), m.text_hash, m.embedding
from new_embeddings as m
on conflict (embedding_space_id, text_hash) do nothing
