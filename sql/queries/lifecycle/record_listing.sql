-- Records that a source was listed to its end. The start of the listing becomes the time at which
-- the source was last known to be unchanged.
update ragline.sources
set
  listed_at = now(),
  proven_at = cast(:started_at as timestamptz),
  listed_probe = cast(:probe as text),
  first_listed_at = coalesce(first_listed_at, now()),
  unreachable_since = null,
  unreachable_error = null
where id = cast(:source_id as bigint)
