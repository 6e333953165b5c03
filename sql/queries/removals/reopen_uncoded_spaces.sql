-- Marks each embedding space that has a vector without token codes, although all its vectors had
-- codes before. An older release, which runs at the same time, can write such vectors.
update ragline.embedding_spaces as s
set coded_at = null
where
  s.coded_at is not null
  and exists (
    select
    from ragline.embeddings as e
    where
      e.embedding_space_id = s.id
      and not exists (
        select
        from ragline.token_codes as t
        where t.embedding_space_id = e.embedding_space_id and t.text_hash = e.text_hash
      )
      and exists (select from ragline.chunks as c where c.text_hash = e.text_hash)
  )
