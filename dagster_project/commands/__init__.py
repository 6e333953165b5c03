"""The commands of the pipeline: `sync`, `dev` and `demo`."""
