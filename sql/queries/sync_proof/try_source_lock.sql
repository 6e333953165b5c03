-- One row: whether this transaction got the lock of a source; it holds it until its end.
select pg_try_advisory_xact_lock(7267003, hashtext(cast(:source as text)))
