-- Returns one row (listed_probe, listed_at, last_started_at, is_unfinished): the probe and the time
-- of a source's last listing, and the start of its last sync. `is_unfinished` says that this sync
-- still runs or has failed.
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
