"""The pipeline's commands: `sync`, `dev` and `demo`."""
