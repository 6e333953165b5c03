-- Deletes parses that no document has used for :seconds, with their chunks. With :is_only_new, only
-- those that this transaction marked are deleted. Returns one row (parses, chunks, chunkings): the
-- numbers of deleted rows.
with unused as (
  select p.id
  from ragline.parses as p
  where
    p.unreferenced_since <= now() - make_interval(secs => cast(:seconds as double precision))
    and (not cast(:is_only_new as boolean) or p.unreferenced_since = now())
    and not exists (select from ragline.documents as d where d.parse_id = p.id)
  for update of p
),
unused_chunkings as (
  select k.id
  from ragline.chunkings as k
  join unused on unused.id = k.parse_id
),
deleted_chunks as (
  delete from ragline.chunks as c
  using unused_chunkings as u
  where c.chunking_id = u.id
  returning c.id
),
deleted_chunkings as (
  delete from ragline.chunkings as k
  using unused_chunkings as u
  where k.id = u.id
  returning k.id
),
deleted_parses as (
  delete from ragline.parses as p using unused where p.id = unused.id returning p.id
)
select
  (select count(*) from deleted_parses) as parses,
  (select count(*) from deleted_chunks) as chunks,
  (select count(*) from deleted_chunkings) as chunkings
