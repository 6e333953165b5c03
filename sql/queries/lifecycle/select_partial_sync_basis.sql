-- Returns one row (is_listed, failed_checks) for a source: whether it was ever listed to its end,
-- and which blocking checks of its documents and chunks failed at their last evaluation.
select
  s.first_listed_at is not null as is_listed,
  array(
    select f.name
    from unnest(s.failed_checks) as f (name)
    where starts_with(f.name, 'documents:') or starts_with(f.name, 'chunks:')
    order by f.name
  ) as failed_checks
from ragline.sources as s
where s.id = cast(:source_id as bigint)
