"""What Dagster loads: definitions, resources, sensors, schedules, jobs, and their commands."""
