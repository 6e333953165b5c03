-- Stores the token codes of new vectors. If another worker stored the codes of a text first, those
-- codes are kept.
insert into ragline.token_codes (embedding_space_id, text_hash, codes)
select cast(:embedding_space_id as bigint), m.text_hash, m.codes
from new_embeddings as m
where m.codes is not null
on conflict (embedding_space_id, text_hash) do nothing
