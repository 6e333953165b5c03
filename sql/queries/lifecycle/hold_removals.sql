-- Holds the removal of some documents until a person confirms it. If a removal is already held, its
-- time is kept.
update ragline.documents
set held_since = coalesce(held_since, now())
where id = any(cast(:ids as bigint[]))
