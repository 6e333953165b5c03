-- Deletes embeddings that no chunk has used for :seconds. With :is_only_new, only those that this
-- transaction marked are deleted. The row count is their number.
delete from ragline.embeddings as e
where
  e.unreferenced_since <= now() - make_interval(secs => cast(:seconds as double precision))
  and (not cast(:is_only_new as boolean) or e.unreferenced_since = now())
  and not exists (
    select
    from ragline.chunks as c
    join ragline.generations as g
      on g.embedding_space_id = e.embedding_space_id and g.state not in ('refused', 'dropped')
    where c.text_hash = e.text_hash
  )
