-- Claims requests by deleting them from the queue, and returns (text_hash, text), the longest texts
-- first. If the transaction does not commit, the requests are in the queue again. Requests that
-- another worker has claimed are skipped. The text is null if it already has a vector, or if no
-- chunk has it any more. With :is_own_only, only texts from chunks of the given chunker are
-- claimed.
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
