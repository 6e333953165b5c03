-- Returns the sources of a collection with readable documents that a generation does not contain:
-- (source, documents), in order of source. The documents :in_flight are not counted.
select
  (select s.name from ragline.sources as s where s.id = d.source_id) as source,
  count(*) as documents
{work_left/unindexed_documents}
  and d.source_id in (
    select s.id
    from ragline.sources as s
    join ragline.collections as c on c.id = s.collection_id
    where c.name = cast(:collection as text)
  )
  and d.id <> all(cast(:in_flight as bigint[]))
group by d.source_id
order by source
