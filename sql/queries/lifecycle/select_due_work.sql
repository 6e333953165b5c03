-- One row: what waits for the next run of a source: listed_probe, and, since a moment, counts of
-- retries that are due, documents to place anew, and removals under way.
select
  (select s.listed_probe from ragline.sources as s where s.name = cast(:source as text))
    as listed_probe,
  count(*) filter (
    where d.state in ('failed', 'unsupported') and d.next_attempt_at <= now()
  ) as retries,
  count(*) filter (
    where
      d.state = 'pending'
      and (
        cast(:since as timestamptz) is null or d.noticed_at > cast(:since as timestamptz)
      )
  ) as reopened,
  count(*) filter (
    where
      d.state = 'missing'
      and (
        cast(:since as timestamptz) is null or d.missing_since > cast(:since as timestamptz)
      )
  ) as leaving
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
where s.name = cast(:source as text) and d.state <> 'ready'
