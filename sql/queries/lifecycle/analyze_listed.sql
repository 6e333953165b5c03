-- Updates the planner statistics of the table `listed`. Without statistics, Postgres chooses a slow
-- plan for a long listing.
analyze listed
