-- Columns of a release r.
  r.id,
  r.generation_id,
  r.settings,
  r.previous_id,
  r.held_settings,
  r.released_at,
  r.released_by,
  r.reason,
  r.report_id,
  r.is_forced,
  r.forced_against
