"""Dagster assets and asset checks, one module for each asset.

An asset calls functions of `ragline` and returns their counts as metadata. `dagster_project`
decides when assets run.
"""
