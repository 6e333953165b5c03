-- Updates the planner statistics of a generation's entries.
analyze ragline.entries_generation
