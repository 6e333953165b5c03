-- Columns of a group of searches: the duration from which a search is slow.
    greatest(
      cast(:latency_ratio as double precision)
      * percentile_cont(0.5) within group (order by total_ms),
      percentile_cont(0.5) within group (order by total_ms)
      + cast(:slower_ms as double precision)
    ) as slow_ms
