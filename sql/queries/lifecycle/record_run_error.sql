-- Records why a run failed, in the report of each of its sources that has no error and is not
-- finished, and of each that has no report yet.
insert into ragline.source_syncs as r (run_id, source_id, error, started_at)
select
  cast(:run_id as text), s.id, cast(:error as text),
  coalesce(cast(:started_at as timestamptz), now())
from ragline.sources as s
where s.name = any(cast(:sources as text[]))
on conflict (run_id, source_id) do update
set error = excluded.error
where r.error is null and r.finished_at is null
