-- The highest confidence of the hits of a search, before `min_confidence` removed any. It is null
-- without hits or without a calibration, and for searches that older releases have written.
alter table ragline.search_requests add column if not exists best_confidence real;
