-- Those of the hashes :text_hashes whose texts have a vector in an embedding space.
select e.text_hash
from ragline.embeddings as e
where
  e.embedding_space_id = cast(:embedding_space_id as bigint)
  and e.text_hash = any(cast(:text_hashes as bytea[]))
