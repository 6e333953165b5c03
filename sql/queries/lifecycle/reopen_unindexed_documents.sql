-- Makes pending the ready documents of a collection that its new live generation does not contain
-- with their present text, so that the next sync indexes them. Documents that a worker has claimed
-- stay ready: waiting for the worker can end in a deadlock. The worker or the next sync indexes them.
with found as (
  select d.id
{work_left/unindexed_documents}
    and d.source_id in (
      select s.id
      from ragline.sources as s
      where s.collection_id = cast(:collection_id as bigint)
    )
    and d.state = 'ready'
  for no key update of d skip locked
)
update ragline.documents as late
set state = 'pending', noticed_at = now(), clock_started_at = now()
from found
where found.id = late.id
