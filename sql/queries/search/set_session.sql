-- Sets the settings of a search's transaction, and returns one row with the values that took
-- effect. If index scans are disabled, all entries are scanned, because the vector index supports
-- no other kind of scan.
select
  set_config('hnsw.ef_search', cast(:ef_search as text), true) as ef_search,
  set_config('hnsw.iterative_scan', 'strict_order', true) as iterative_scan,
  set_config('hnsw.max_scan_tuples', cast(:max_scan_tuples as text), true) as max_scan_tuples,
  set_config('enable_indexscan', cast(:index_scans as text), true) as index_scans
