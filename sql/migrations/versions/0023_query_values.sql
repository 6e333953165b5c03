-- The values of each measure by query id. Null in the evaluations of older releases.
alter table ragline.evaluations add column if not exists query_values jsonb;
