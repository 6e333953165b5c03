-- Returns one row (is_due): whether a generation's counts must be compared with its entries. This
-- is the case if the last comparison is older than :age, or if a sync proof of a source found
-- differences since then.
select
  g.counted_at is null
  or g.counted_at < now() - cast(:age as interval)
  or exists (
    select
    from ragline.sync_proofs as p
    join ragline.sources as s on s.id = p.source_id
    where
      s.collection_id = g.collection_id
      and p.difference_count > 0
      and p.proven_at > g.counted_at
  ) as is_due
from ragline.generations as g
where g.id = cast(:generation_id as bigint)
