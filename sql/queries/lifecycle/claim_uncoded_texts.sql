-- Claims vectors without token codes by locking them, and returns (text_hash, text) by ascending hash,
-- at most :limit, after the hash :after. Vectors that another worker has claimed are skipped. The text
-- is null if no chunk has it any more.
select
  e.text_hash,
  (
    select c.header || c.text
    from ragline.chunks as c
    where c.text_hash = e.text_hash
    limit 1
  ) as text
from ragline.embeddings as e
where
  e.embedding_space_id = cast(:embedding_space_id as bigint)
  and e.text_hash > cast(:after as bytea)
  and not exists (
    select
    from ragline.token_codes as t
    where t.embedding_space_id = e.embedding_space_id and t.text_hash = e.text_hash
  )
order by e.text_hash
limit cast(:limit as integer)
for update of e skip locked
