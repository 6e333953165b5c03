-- Returns the ledger's rows of the given pushed documents of a source, one for each document:
-- (document_id, state, version, read_version, error, is_held, is_signalled), in any order.
-- `version` is the listed version, and `read_version` the one that was read last. All values except
-- `is_signalled` are null or false if the ledger does not contain the document. `is_signalled` says
-- that a signal names the document that no listing has cleared.
select
  w.document_id,
  d.state,
  d.version,
  d.read_version,
  d.error,
  d.held_since is not null as is_held,
  coalesce(
    g.version > g.cleared_version
    and (g.whole_version is not null or g.documents ? w.document_id),
    false
  ) as is_signalled
from unnest(cast(:document_ids as text[])) as w (document_id)
left join ragline.sources as s on s.name = cast(:source as text)
left join ragline.documents as d on d.source_id = s.id and d.document_id = w.document_id
left join ragline.change_signals as g on g.source = cast(:source as text)
