-- Returns one row (listed_probe, listed_for, is_waiting). `listed_for` is the number of seconds
-- since the last listing. `is_waiting` says whether documents became pending or missing, or retries
-- became due, since then.
select
  s.listed_probe,
  cast(extract(epoch from clock_timestamp() - s.listed_at) as double precision) as listed_for,
  exists (
    select
    from ragline.documents as d
    where
      d.source_id = s.id
      and d.state <> 'ready'
      and (
        (d.state = 'pending' and d.noticed_at > s.listed_at)
        or (d.state = 'missing' and d.missing_since > s.listed_at)
        or (
          d.state in ('failed', 'unsupported')
          and d.next_attempt_at > s.listed_at
          and d.next_attempt_at <= clock_timestamp()
        )
      )
  ) as is_waiting
from ragline.sources as s
where s.name = cast(:source as text)
