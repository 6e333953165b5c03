-- Tells the planner what a generation's entries look like now.
analyze ragline.entries_generation
