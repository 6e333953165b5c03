-- Returns one row (findings, is_synced_since): the findings of the last sync proof of a source, and
-- whether a sync started after it and completed all its stages. Returns no row if the source has no
-- proof.
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
