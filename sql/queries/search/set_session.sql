-- Sets the settings of vector search for one transaction, and returns one row with the values that
-- took effect.
select
  set_config('hnsw.ef_search', cast(:ef_search as text), true) as ef_search,
  set_config('hnsw.iterative_scan', 'strict_order', true) as iterative_scan,
  set_config('hnsw.max_scan_tuples', cast(:max_scan_tuples as text), true) as max_scan_tuples
