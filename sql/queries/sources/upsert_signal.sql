-- Adds a signal to the row of its source, and notifies the listeners of :channel when the
-- transaction commits. Returns one row (version, is_whole, pending_documents, signalled_at), which
-- describes all pending signals of the source. If :document_ids is null, or if the pending
-- signals name more than :max_documents documents, the whole source counts as changed.
with
stored as (
  insert into ragline.change_signals as s (
    source, version, whole_version, documents, pending_since, signalled_at, reason, counts
  )
  select
    cast(:source as text),
    1,
    case when named.document_ids is null then 1 end,
    (
      select coalesce(jsonb_object_agg(id, 1), '{}')
      from unnest(named.document_ids) as id
    ),
    clock_timestamp(),
    clock_timestamp(),
    cast(:reason as text),
    jsonb_build_object(cast(:reason as text), 1)
  from (select cast(:document_ids as text[]) as document_ids) as named
  on conflict (source) do update
  set
    (version, whole_version, documents, pending_since) = (
      select
        s.version + 1,
        case when merged.is_whole then s.version + 1 end,
        case when merged.is_whole then '{}' else merged.documents end,
        coalesce(s.pending_since, excluded.pending_since)
      from (
        select
          added.documents,
          excluded.whole_version is not null
          or s.whole_version is not null
          or (select count(*) from jsonb_object_keys(added.documents))
          > cast(:max_documents as integer) as is_whole
        from (
          select s.documents || coalesce(jsonb_object_agg(id, s.version + 1), '{}') as documents
          from jsonb_object_keys(excluded.documents) as id
        ) as added
      ) as merged
    ),
    signalled_at = excluded.signalled_at,
    reason = excluded.reason,
    counts = s.counts || jsonb_build_object(
      excluded.reason, coalesce((s.counts ->> excluded.reason)::bigint, 0) + 1
    )
  returning s.source, s.version, s.whole_version, s.documents, s.signalled_at
)
select
  version,
  whole_version is not null as is_whole,
  (select count(*) from jsonb_object_keys(documents)) as pending_documents,
  signalled_at,
  pg_notify(cast(:channel as text), source)
from stored
