-- One row: the current time of the database, whose clock gives all stored times.
select clock_timestamp() as now
