-- Takes a source's lock until the end of the transaction, unless a run has it: one boolean.
select pg_try_advisory_xact_lock(7267003, hashtext(cast(:source as text)))
