-- Returns one row for each clock of a source, with the readings of the last :days. A row has the
-- number of changes, the number over the limit, and percentiles in seconds. The documents of the
-- first listing are not changes. They are included only in `all_p95_seconds` and `all_max_seconds`.
select
  r.clock,
  count(*) filter (where is_change) as readings,
  count(*) filter (where is_change and r.seconds > r.within) as late,
  percentile_cont(0.5) within group (order by r.seconds) filter (where is_change) as p50_seconds,
  percentile_cont(0.95) within group (order by r.seconds) filter (where is_change) as p95_seconds,
  percentile_cont(0.99) within group (order by r.seconds) filter (where is_change) as p99_seconds,
  max(r.seconds) filter (where is_change) as max_seconds,
  percentile_cont(0.95) within group (order by r.seconds) as all_p95_seconds,
  max(r.seconds) as all_max_seconds
from (
  select
    c.clock,
    extract(epoch from c.stopped_at - c.started_at)::double precision as seconds,
    c.noticed_at > s.first_listed_at as is_change,
    extract(
      epoch from case c.clock when 'visible' then s.visible_within else s.forgotten_within end
    ) as within
  from ragline.clock_readings as c
  join ragline.sources as s on s.id = c.source_id
  where
    c.source_id = cast(:source_id as bigint)
    and c.stopped_at > now() - make_interval(days => cast(:days as integer))
) as r
group by r.clock
order by r.clock
