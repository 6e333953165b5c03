"""The stages of a sync: read, chunk, embed, index, publish.

Each stage asks the database which work is left and does it. After a crash the run is started again;
running a stage twice changes nothing. `dagster_project` decides when and where a stage runs.
"""
