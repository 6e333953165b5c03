-- Waits for other writers to a source. The lock ends with the transaction.
select pg_advisory_xact_lock(hashtextextended('pushes to ' || cast(:source as text), 0))
