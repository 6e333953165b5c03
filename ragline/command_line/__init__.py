"""Code that several commands share: text output, search options, the check of a name."""
