-- What the last proof of a source found, faults and others, and whether a sync began after it and
-- did all its stages: (findings, is_synced_since); no row when the source was never proven.
select
  p.findings,
  exists (
    select
    from ragline.source_syncs as r
    where
      r.source_id = p.source_id and r.started_at > p.proven_at and r.finished_at is not null
  ) as is_synced_since
from ragline.sync_proofs as p
where p.source_id = cast(:source_id as bigint)
order by p.id desc
limit 1
