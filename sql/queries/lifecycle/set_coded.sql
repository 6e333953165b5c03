-- Records that each vector of an embedding space has token codes, if this is true. A vector whose text
-- no chunk has is left out. Later vectors get their codes when they are made.
update ragline.embedding_spaces
set coded_at = now()
where
  id = cast(:embedding_space_id as bigint)
  and not exists (
    select
    from ragline.embeddings as e
    where
      e.embedding_space_id = cast(:embedding_space_id as bigint)
      and not exists (
        select
        from ragline.token_codes as t
        where t.embedding_space_id = e.embedding_space_id and t.text_hash = e.text_hash
      )
      and exists (select from ragline.chunks as c where c.text_hash = e.text_hash)
  )
