-- Tries to take the lock of a source for this transaction. Returns one row: whether the transaction
-- now holds the lock.
select pg_try_advisory_xact_lock(7267003, hashtext(cast(:source as text)))
