-- Returns one row (now): the current time of the database. All stored times come from this clock.
select clock_timestamp() as now
