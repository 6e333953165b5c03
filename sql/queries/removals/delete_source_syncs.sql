-- Deletes reports of syncs older than :seconds, except the last one of each source. The row count
-- is their number.
delete from ragline.source_syncs as r
where
  r.started_at <= now() - make_interval(secs => cast(:seconds as double precision))
  and exists (
    select
    from ragline.source_syncs as later
    where later.source_id = r.source_id and later.started_at > r.started_at
  )
