-- Names this session, so that whoever waits for its lock can say for whom.
select set_config('application_name', cast(:name as text), false) as name
