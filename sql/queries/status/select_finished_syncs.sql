-- Returns the syncs that ended after :since, in the order of their end. A row has the counts of the
-- sync. It has the first documents that became visible or were forgotten, and the longest times of
-- these. It also has the newest failed documents of the source.
select
  s.name as source,
  y.run_id,
  y.finished_at,
  y.error,
  y.added,
  y.changed,
  y.removed,
  y.held,
  y.failed,
  y.quarantined,
  r.visible_count,
  r.visible_documents,
  r.visible_seconds,
  r.forgotten_count,
  r.forgotten_documents,
  r.forgotten_seconds,
  f.failed_documents
from ragline.source_syncs as y
join ragline.sources as s on s.id = y.source_id
cross join lateral (
  select
    count(*) filter (where c.clock = 'visible') as visible_count,
    count(*) filter (where c.clock = 'forgotten') as forgotten_count,
    (array_agg(c.document_id order by c.document_id) filter (where c.clock = 'visible'))[1:3]
      as visible_documents,
    (array_agg(c.document_id order by c.document_id) filter (where c.clock = 'forgotten'))[1:3]
      as forgotten_documents,
    extract(
      epoch from max(c.stopped_at - c.started_at) filter (where c.clock = 'visible')
    )::double precision as visible_seconds,
    extract(
      epoch from max(c.stopped_at - c.started_at) filter (where c.clock = 'forgotten')
    )::double precision as forgotten_seconds
  from ragline.clock_readings as c
  where
    c.source_id = y.source_id
    and c.run_id = y.run_id
) as r
cross join lateral (
  select
    (array_agg(d.document_id order by d.noticed_at desc, d.document_id))[1:3] as failed_documents
  from ragline.documents as d
  where
    d.source_id = y.source_id
    and d.state in ('failed', 'quarantined')
) as f
where y.finished_at > cast(:since as timestamptz)
order by y.finished_at
