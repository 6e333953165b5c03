-- Stores the token codes :codes of the texts :text_hashes, in the same order. A text whose vector was
-- deleted in the meantime, or that has codes, is left out.
insert into ragline.token_codes (embedding_space_id, text_hash, codes)
select e.embedding_space_id, e.text_hash, m.codes
from unnest(cast(:text_hashes as bytea[]), cast(:codes as bytea[])) as m (text_hash, codes)
join ragline.embeddings as e
  on e.embedding_space_id = cast(:embedding_space_id as bigint) and e.text_hash = m.text_hash
on conflict (embedding_space_id, text_hash) do nothing
