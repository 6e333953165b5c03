-- Returns one row (uncoded): the number of stored vectors of an embedding space without token codes.
select count(*) as uncoded
from ragline.embeddings as e
join ragline.embedding_spaces as s on s.id = e.embedding_space_id and s.coded_at is null
where
  e.embedding_space_id = cast(:embedding_space_id as bigint)
  and not exists (
    select
    from ragline.token_codes as t
    where t.embedding_space_id = e.embedding_space_id and t.text_hash = e.text_hash
  )
