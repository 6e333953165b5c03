-- Updates the planner statistics of the listing; without them a long one is compared row by row.
analyze listed
