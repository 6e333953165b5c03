-- What a person has forced a release in spite of, in one clause. It is null for releases that were
-- not forced, and for those that older releases of Ragline have written.
alter table ragline.releases add column if not exists forced_against text;
