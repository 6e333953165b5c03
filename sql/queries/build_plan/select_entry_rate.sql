-- One row: entries and seconds of the last batches of entries that were written to the newest large
-- generation. The placements of a batch are microseconds apart. The seconds of a batch begin at the
-- end of the batch before it. Small batches and pauses do not count.
with placed as (
  select p.placed_at, p.entry_count, lag(p.placed_at) over (order by p.placed_at) as previous_at
  from ragline.placements as p
  where
    p.generation_id = (
      select g.id
      from ragline.generations as g
      where g.state <> 'dropped' and g.entry_count >= cast(:min_entries as integer)
      order by g.created_at desc
      limit 1
    )
),
numbered as (
  select
    l.placed_at,
    l.entry_count,
    count(*) filter (where l.placed_at > l.previous_at + interval '20 milliseconds')
      over (order by l.placed_at) as batch
  from placed as l
),
batches as (
  select sum(n.entry_count) as entries, min(n.placed_at) as ended_at
  from numbered as n
  group by n.batch
),
timed as (
  select
    b.entries,
    b.ended_at,
    extract(epoch from b.ended_at - lag(b.ended_at) over (order by b.ended_at)) as seconds
  from batches as b
),
last as (
  select t.entries, t.seconds
  from timed as t
  where t.entries >= cast(:min_entries as integer) / 5 and t.seconds < 60
  order by t.ended_at desc
  limit 50
)
select
  coalesce(sum(l.entries), 0)::bigint as entries,
  coalesce(sum(l.seconds), 0)::double precision as seconds
from last as l
