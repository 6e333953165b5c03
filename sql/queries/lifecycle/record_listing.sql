-- Records that a source was listed to its end; it is proven to be as it was when the listing
-- started.
update ragline.sources
set
  listed_at = now(),
  proven_at = cast(:started_at as timestamptz),
  listed_probe = cast(:probe as text),
  first_listed_at = coalesce(first_listed_at, now()),
  unreachable_since = null,
  unreachable_error = null
where id = cast(:source_id as bigint)
