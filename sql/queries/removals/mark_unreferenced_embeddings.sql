-- Records the time since which an embedding is unused: no chunk has its text, or no generation has
-- its embedding space. Clears the time if the embedding is used again.
update ragline.embeddings as e
set unreferenced_since = case when used.is_used then null else now() end
from (
  select
    v.embedding_space_id,
    v.text_hash,
    exists (select from ragline.chunks as c where c.text_hash = v.text_hash)
    and exists (
      select
      from ragline.generations as g
      where g.embedding_space_id = v.embedding_space_id and g.state not in ('refused', 'dropped')
    ) as is_used
  from ragline.embeddings as v
) as used
where
  used.embedding_space_id = e.embedding_space_id
  and used.text_hash = e.text_hash
  and used.is_used = (e.unreferenced_since is not null)
