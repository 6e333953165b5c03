-- Makes pending the ready documents of a collection that its new live generation does not contain
-- with their present text, so that the next sync indexes them.
update ragline.documents as late
set state = 'pending', noticed_at = now(), clock_started_at = now()
from (
  select d.id
{work_left/unindexed_documents}
    and d.source_id in (
      select s.id
      from ragline.sources as s
      where s.collection_id = cast(:collection_id as bigint)
    )
) as found
where found.id = late.id and late.state = 'ready'
