"""The stages of a sync: read, chunk, embed, index, publish.

Each stage asks the database which work is left and does it. After a crash the run is started again;
running a stage twice changes nothing. When and where a stage runs is decided in `dagster_project`.
"""
