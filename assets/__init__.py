"""Dagster assets and asset checks: thin, one module for each noun that exists after a run.

An asset reads its inputs, calls one function of `ragline`, and returns the counts as metadata.
When and where assets run is `dagster_project`.
"""
