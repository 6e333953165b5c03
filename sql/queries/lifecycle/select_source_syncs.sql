-- Returns the reports of one run, one row for each source, in order of the source's name.
select
  s.name as source,
  c.name as collection,
  r.started_at,
  r.finished_at,
  r.error,
  r.listed,
  r.added,
  r.changed,
  r.unchanged,
  r.removed,
  r.held,
  r.failed,
  r.quarantined,
  r.unsupported,
  r.chunks,
  r.embeddings_made,
  r.embeddings_reused,
  r.seconds,
  r.build_left
from ragline.source_syncs as r
join ragline.sources as s on s.id = r.source_id
join ragline.collections as c on c.id = s.collection_id
where r.run_id = cast(:run_id as text)
order by s.name
