-- Columns of a recorded search r that the online figures need.
  r.id, r.requested_at, r.hit_count, r.is_abstained, r.stale_count, r.total_ms, r.best_confidence
