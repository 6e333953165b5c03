-- Stores the new vectors. If another worker stored the vector of a text first, that vector is kept.
insert into ragline.embeddings (embedding_space_id, text_hash, embedding)
select cast(:embedding_space_id as bigint), m.text_hash, m.embedding
from new_embeddings as m
on conflict (embedding_space_id, text_hash) do nothing
