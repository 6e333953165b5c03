-- One row: is_ours, whether this session now holds the lock of a collection's build.
select pg_try_advisory_lock(7267004, hashtext(cast(:collection as text))) as is_ours
