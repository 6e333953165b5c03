-- Stores the figures of a collection for one day. If the day already has figures, they are
-- replaced.
insert into ragline.quality_figures (collection, day, figures, run_id)
values (
  cast(:collection as text),
  cast(:day as date),
  cast(:figures as jsonb),
  cast(:run_id as text)
)
on conflict (collection, day) do update
set figures = excluded.figures, run_id = excluded.run_id, measured_at = now()
