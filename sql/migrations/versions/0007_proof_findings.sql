-- All differences of a proof, those included that a change of the source may explain.

alter table ragline.sync_proofs
add column if not exists findings jsonb default '[]'::jsonb not null;
