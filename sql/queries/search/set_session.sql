-- Settings of one search's transaction, as they took effect: one row.
select
  set_config('hnsw.ef_search', cast(:ef_search as text), true) as ef_search,
  set_config('hnsw.iterative_scan', 'strict_order', true) as iterative_scan,
  set_config('statement_timeout', cast(:timeout_ms as text), true) as timeout_ms
