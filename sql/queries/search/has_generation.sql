-- Whether a generation has its table of entries: one row.
select to_regclass('ragline.entries_' || cast(:generation_id as bigint)) is not null as has_table
