-- Takes the lock for writing pushed documents of a source. It waits for other writers, and the lock
-- ends with the transaction.
select pg_advisory_xact_lock(hashtextextended('pushes to ' || cast(:source as text), 0))
