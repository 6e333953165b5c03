-- Deletes the saved state of sources that do not exist any more; the row count is the number of
-- rows.
delete from ragline.source_notes as n
where
  n.noted_at <= now() - make_interval(secs => cast(:seconds as double precision))
  and not exists (select from ragline.sources as s where s.name = n.source)
