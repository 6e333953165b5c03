-- Stores the names of a source's blocking checks that failed. Names that begin with :prefix are
-- replaced by :failed. If no check failed before and after, the row does not change.
update ragline.sources as s
set failed_checks = array(
  select f.name
  from unnest(s.failed_checks) as f (name)
  where not starts_with(f.name, cast(:prefix as text))
) || cast(:failed as text[])
where
  s.name = cast(:source as text)
  and (
    cardinality(cast(:failed as text[])) > 0
    or exists (
      select from unnest(s.failed_checks) as f (name)
      where starts_with(f.name, cast(:prefix as text))
    )
  )
