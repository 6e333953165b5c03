-- Sets how this session creates an index: the memory, and the number of parallel workers. Returns
-- one row with the values.
select
  set_config('maintenance_work_mem', cast(:memory as text), false) as memory,
  set_config('max_parallel_maintenance_workers', cast(:workers as text), false) as workers
