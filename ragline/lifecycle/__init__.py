"""The stages of a sync: read, chunk, embed, index, publish.

Each stage asks the database which work is left, and does this work. So a run that is started again
after a crash continues where the first run ended. `dagster_project` decides when and where a stage
runs.
"""
