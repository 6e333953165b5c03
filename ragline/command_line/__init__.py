"""What several commands share: text output, the options of searches, and the check of a name."""
