-- Names this session, so that a session that waits for its lock can report the name.
select set_config('application_name', cast(:name as text), false) as name
