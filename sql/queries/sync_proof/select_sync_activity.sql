-- One row: the probe and time of the last listing of a source, when its last sync started, and
-- whether that sync has not finished (it runs, or it failed).
select
  s.listed_probe,
  s.listed_at,
  last.started_at as last_started_at,
  last.run_id is not null and last.finished_at is null as is_unfinished
from ragline.sources as s
left join lateral (
  select r.run_id, r.started_at, r.finished_at
  from ragline.source_syncs as r
  where r.source_id = s.id
  order by r.started_at desc
  limit 1
) as last on true
where s.id = cast(:source_id as bigint)
