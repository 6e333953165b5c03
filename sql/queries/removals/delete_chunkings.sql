-- Deletes chunkings that no open generation wants and no entry stands on. One row: chunks.
with gone as (
  select k.id
  from ragline.chunkings as k
  where
    k.created_at <= now() - make_interval(secs => cast(:seconds as double precision))
    and not exists (
      select
      from ragline.generations as g
      where g.chunker_fingerprint = k.chunker_fingerprint and g.state <> 'dropped'
    )
    and not exists (select from ragline.placements as l where l.chunking_id = k.id)
),
deleted_chunks as (
  delete from ragline.chunks as c using gone where c.chunking_id = gone.id returning c.id
),
deleted_chunkings as (
  delete from ragline.chunkings as k using gone where k.id = gone.id returning k.id
)
select
  (select count(*) from deleted_chunks) as chunks,
  (select count(*) from deleted_chunkings) as chunkings
