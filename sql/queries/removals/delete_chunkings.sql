-- Deletes chunkings that are older than :seconds and that nothing uses: no generation has their
-- chunker, and no document has entries of them. Returns one row (chunks, chunkings): the numbers of
-- deleted rows.
with unused as (
  select k.id
  from ragline.chunkings as k
  where
    k.created_at <= now() - make_interval(secs => cast(:seconds as double precision))
    and not exists (
      select
      from ragline.generations as g
      where g.chunker_fingerprint = k.chunker_fingerprint and g.state not in ('refused', 'dropped')
    )
    and not exists (select from ragline.placements as l where l.chunking_id = k.id)
),
deleted_chunks as (
  delete from ragline.chunks as c using unused where c.chunking_id = unused.id returning c.id
),
deleted_chunkings as (
  delete from ragline.chunkings as k using unused where k.id = unused.id returning k.id
)
select
  (select count(*) from deleted_chunks) as chunks,
  (select count(*) from deleted_chunkings) as chunkings
