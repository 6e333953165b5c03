-- Deletes parses that nothing has stood on for :seconds, with their chunks. With
-- :is_only_new, only those that this transaction found so. One row: parses, chunks, chunkings.
with gone as (
  select p.id
  from ragline.parses as p
  where
    p.unreferenced_since <= now() - make_interval(secs => cast(:seconds as double precision))
    and (not cast(:is_only_new as boolean) or p.unreferenced_since = now())
    and not exists (select from ragline.documents as d where d.parse_id = p.id)
  for update of p
),
cut as (
  select k.id
  from ragline.chunkings as k
  join gone on gone.id = k.parse_id
),
deleted_chunks as (
  delete from ragline.chunks as c using cut where c.chunking_id = cut.id returning c.id
),
deleted_chunkings as (
  delete from ragline.chunkings as k using cut where k.id = cut.id returning k.id
),
deleted_parses as (
  delete from ragline.parses as p using gone where p.id = gone.id returning p.id
)
select
  (select count(*) from deleted_parses) as parses,
  (select count(*) from deleted_chunks) as chunks,
  (select count(*) from deleted_chunkings) as chunkings
