-- Inserts the report of one source in one run, unless it exists.
insert into ragline.source_syncs (run_id, source_id, code_version)
values (cast(:run_id as text), cast(:source_id as bigint), cast(:code_version as text))
on conflict (run_id, source_id) do nothing
