"""Tuning: chooses search settings on the split `tune` of a golden set, and writes a proposal.

`tuning` is the entry point. `recombination` computes the scores of settings from searches that are
made once, and `choice` chooses the best settings with optuna. `chunking` compares chunk sizes on
the indexes of `trial_index`. `measurement` searches, and `proposal` writes the result as YAML.
Nothing here changes the configuration or the index.
"""
