-- Records why a run failed. The error is written to the report of each source of the run that is
-- not finished and has no error. If a source has no report yet, one is inserted.
insert into ragline.source_syncs as r (run_id, source_id, error, started_at)
select
  cast(:run_id as text), s.id, cast(:error as text),
  coalesce(cast(:started_at as timestamptz), now())
from ragline.sources as s
where s.name = any(cast(:sources as text[]))
on conflict (run_id, source_id) do update
set error = excluded.error
where r.error is null and r.finished_at is null
