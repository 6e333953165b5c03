"""The Dagster project: definitions, jobs, sensors, schedules, storage, and the commands on them."""
