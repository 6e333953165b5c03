-- What the figures of an evaluation depend on, so that it can be run again. The columns are null in
-- the evaluations of older releases.

alter table ragline.evaluations add column if not exists space_fingerprint text;
alter table ragline.evaluations add column if not exists chunker_fingerprint text;
alter table ragline.evaluations add column if not exists parser_fingerprints text[];
alter table ragline.evaluations add column if not exists content_fingerprint text;
alter table ragline.evaluations add column if not exists code_version text;
alter table ragline.evaluations add column if not exists golden_folder text;
alter table ragline.evaluations add column if not exists split text;
alter table ragline.evaluations add column if not exists settings jsonb;
alter table ragline.evaluations add column if not exists seed bigint;
alter table ragline.evaluations add column if not exists unanswerable_count integer;
alter table ragline.evaluations add column if not exists unanswerable_hit_count integer;

-- The version of the code that wrote the entries of a run.
alter table ragline.source_syncs add column if not exists code_version text;
