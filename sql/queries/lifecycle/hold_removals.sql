-- Keeps documents that a listing lacks until somebody confirms; those held before stay as held.
update ragline.documents
set held_since = coalesce(held_since, now())
where id = any(cast(:ids as bigint[]))
