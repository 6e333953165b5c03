"""The stages of a sync. Each asks the database what is missing and does that.

A run that dies is simply run again; running twice changes nothing. When a stage runs, and on
which machine, is decided in `dagster_project`.
"""
