"""Access control: authentication by keys, and limits on body size and load."""
