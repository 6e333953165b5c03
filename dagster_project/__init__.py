"""The Dagster project: definitions, jobs, sensors, schedules, storage and its commands."""
