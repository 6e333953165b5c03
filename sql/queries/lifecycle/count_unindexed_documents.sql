-- Returns one row (unindexed): the number of a collection's readable documents that a generation
-- does not contain.
select count(*) as unindexed
{work_left/unindexed_documents}
  and d.source_id in (
    select s.id
    from ragline.sources as s
    where s.collection_id = cast(:collection_id as bigint)
  )
