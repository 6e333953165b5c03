-- Limits the time of each further statement of this transaction. Returns one row (timeout_ms).
select set_config('statement_timeout', cast(:timeout_ms as text), true) as timeout_ms
