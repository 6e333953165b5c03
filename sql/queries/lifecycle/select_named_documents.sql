-- Returns the given documents of a source that the ledger contains: (id, document_id, is_present,
-- is_held), in any order. `is_present` says that the last listing contained the document, and
-- `is_held` that its removal is held.
select
  d.id,
  d.document_id,
  d.state not in ('missing', 'removed') as is_present,
  d.held_since is not null as is_held
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.document_id = any(cast(:document_ids as text[]))
