-- Returns one row (unindexed): the number of a source's readable documents that a generation does
-- not contain.
select count(*) as unindexed
{work_left/unindexed_documents}
  and d.source_id = cast(:source_id as bigint)
