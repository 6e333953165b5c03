-- Tells the planner how long the listing is; without it a long one is compared row by row.
analyze listed
