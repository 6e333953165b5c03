-- Columns of a search s with the limits of its group: what counts for which online figure. A search
-- that `min_confidence` left without a hit has found something.
    s.hit_count = 0 and not s.is_abstained as is_empty,
    s.best_confidence is not null as is_rated,
    s.best_confidence < cast(:confident_from as real) as is_unsure,
    s.stale_count > 0 as is_stale,
    s.total_ms > limits.slow_ms as is_slow,
    limits.slow_ms,
    s.requested_at < cast(:end as timestamptz)
      - make_interval(secs => cast(:click_s as double precision)) as is_clickable,
    exists (
      select
      from ragline.given_feedback as f
      where
        f.request_id = s.id
        and f.kind in ('click', 'answer_used', 'useful')
        and f.given_at < s.requested_at
          + make_interval(secs => cast(:click_s as double precision))
    ) as is_clicked
