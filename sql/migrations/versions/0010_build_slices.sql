-- The documents that a generation which is being built lacked when a run left it to the next one.
alter table ragline.source_syncs add column if not exists build_left integer;
