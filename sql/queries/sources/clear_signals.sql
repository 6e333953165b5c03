-- Clears the signals of a source up to :version. Later signals stay pending. The time of the
-- oldest of them is not stored, so the time of the last one takes its place.
update ragline.change_signals
set
  cleared_version = cast(:version as bigint),
  whole_version = case when whole_version > cast(:version as bigint) then whole_version end,
  documents = (
    select coalesce(jsonb_object_agg(d.key, d.value), '{}')
    from jsonb_each(documents) as d
    where d.value::bigint > cast(:version as bigint)
  ),
  pending_since = case when version > cast(:version as bigint) then signalled_at end
where source = cast(:source as text) and cleared_version < cast(:version as bigint)
