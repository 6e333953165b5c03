-- The blocking checks of a source that failed at their last evaluation. A candidate that contains the
-- documents of the source is not promoted.
alter table ragline.sources add column if not exists failed_checks text[] default '{}' not null;
