-- Makes this transaction read whole tables: one row with the setting as it took effect.
select
  set_config('enable_indexscan', 'off', true) as enable_indexscan,
  set_config('statement_timeout', cast(:timeout_ms as text), true) as timeout_ms
