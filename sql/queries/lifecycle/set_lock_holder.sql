-- Names this session, so that another session that waits for the lock can report the name.
select set_config('application_name', cast(:name as text), false) as name
