-- Waits for whoever else writes to a source, until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended('pushes to ' || cast(:source as text), 0))
