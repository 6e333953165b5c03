-- Takes requests out of the queue, the longest texts first: (text_hash, text). The rows come
-- back when the transaction does not commit; what another worker took is skipped. The text is
-- null when it has its vector already or no chunk holds it any more. With :is_own_only those alone
-- that a chunk of this chunker holds.
with taken as (
  delete from ragline.embedding_requests as r
  using (
    select q.embedding_space_id, q.text_hash
    from ragline.embedding_requests as q
    where
      q.embedding_space_id = cast(:embedding_space_id as bigint)
      and (
        not cast(:is_own_only as boolean)
        or exists (
          select
          from ragline.chunks as c
          join ragline.chunkings as k on k.id = c.chunking_id
          where
            c.text_hash = q.text_hash
            and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
        )
      )
    order by q.token_count desc, q.text_hash
    limit cast(:limit as integer)
    for update skip locked
  ) as claimed
  where
    r.embedding_space_id = claimed.embedding_space_id
    and r.text_hash = claimed.text_hash
  returning r.embedding_space_id, r.text_hash, r.token_count
)
select
  t.text_hash,
  (
    select c.header || c.text
    from ragline.chunks as c
    where
      c.text_hash = t.text_hash
      and not exists (
        select
        from ragline.embeddings as e
        where e.embedding_space_id = t.embedding_space_id and e.text_hash = t.text_hash
      )
    limit 1
  ) as text
from taken as t
order by t.token_count desc, t.text_hash
