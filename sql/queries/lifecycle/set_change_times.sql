-- Sets the start of the clock of changed documents to the time of change that the source found for
-- them.
update ragline.documents as d
set clock_started_at = least(now(), greatest(t.changed_at, cast(:proven_at as timestamptz)))
from unnest(cast(:document_ids as text[]), cast(:changed_at as timestamptz[]))
  as t (document_id, changed_at)
where
  d.source_id = cast(:source_id as bigint)
  and d.document_id = t.document_id
  and d.state = 'pending'
