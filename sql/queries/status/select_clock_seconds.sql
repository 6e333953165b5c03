-- Returns the latest 20,000 readings of one clock of a source in seconds, newest first.
select
  extract(epoch from c.stopped_at - c.started_at)::double precision as seconds
from ragline.clock_readings as c
join ragline.sources as s on s.id = c.source_id
where s.name = cast(:source as text) and c.clock = cast(:clock as text)
order by c.stopped_at desc
limit 20000
