-- One row: now, by the clock that every stored time is taken from.
select clock_timestamp() as now
