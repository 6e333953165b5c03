-- Deletes the stored values of sources that do not exist any more, if the values are older than
-- :seconds. The row count is their number.
delete from ragline.source_notes as n
where
  n.noted_at <= now() - make_interval(secs => cast(:seconds as double precision))
  and not exists (select from ragline.sources as s where s.name = n.source)
