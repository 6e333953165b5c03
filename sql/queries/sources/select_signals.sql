-- Returns the pending signals, one row for each source (source, version, document_ids, reason,
-- pending_since, signalled_at), the source with the oldest signal first. `document_ids` is null if
-- the whole source counts as changed. If :sources is null, the sources are not restricted.
select
  s.source,
  s.version,
  case
    when s.whole_version is null
      then array(select id from jsonb_object_keys(s.documents) as id order by id)
  end as document_ids,
  s.reason,
  s.pending_since,
  s.signalled_at
from ragline.change_signals as s
where
  s.version > s.cleared_version
  and (cast(:sources as text[]) is null or s.source = any(cast(:sources as text[])))
order by s.pending_since, s.source
