-- Deletes the signals of sources that do not exist any more, if the last signal is older than
-- :seconds. The row count is the number of these sources.
delete from ragline.change_signals as g
where
  g.signalled_at <= now() - make_interval(secs => cast(:seconds as double precision))
  and not exists (select from ragline.sources as s where s.name = g.source)
