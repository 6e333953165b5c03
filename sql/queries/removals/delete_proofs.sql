-- Deletes sync proofs older than :seconds, except the last one of each source. The row count is
-- their number.
delete from ragline.sync_proofs as p
where
  p.proven_at <= now() - make_interval(secs => cast(:seconds as double precision))
  and exists (
    select
    from ragline.sync_proofs as later
    where later.source_id = p.source_id and later.id > p.id
  )
