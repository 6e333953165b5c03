-- Returns the clock readings of one document, newest first: (clock, started_at, noticed_at,
-- stopped_at, run_id), at most :limit. `clock` is `visible` or `forgotten`.
select
  r.clock,
  r.started_at,
  r.noticed_at,
  r.stopped_at,
  r.run_id
from ragline.clock_readings as r
join ragline.sources as s on s.id = r.source_id
where s.name = cast(:source as text) and r.document_id = cast(:document_id as text)
order by r.stopped_at desc, r.id desc
limit cast(:limit as integer)
