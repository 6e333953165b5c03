-- Columns of a group of searches: the counts of the online figures.
  max(slow_ms) as slow_ms,
  count(*) as searches,
  count(*) filter (where is_empty) as zero_results,
  count(*) filter (where is_rated) as rated,
  count(*) filter (where is_unsure) as low_confidence,
  count(*) filter (where is_stale) as stale,
  count(*) filter (where is_slow) as slow,
  count(*) filter (where is_clickable) as clickable,
  count(*) filter (where is_clickable and is_clicked) as clicked
