-- Tries to take the lock of the update of a generation's term weights, for this transaction. Returns
-- one row (is_ours): whether the transaction now holds the lock.
select pg_try_advisory_xact_lock(7267006, hashtext(cast(:generation_id as text))) as is_ours
