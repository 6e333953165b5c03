"""Dagster assets and asset checks: one module for each asset.

An asset calls functions of `ragline` and returns their counts as metadata. When assets run is
decided in `dagster_project`.
"""
