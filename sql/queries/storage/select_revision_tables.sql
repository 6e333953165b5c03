-- Returns one row (exist): whether the tables of revisions exist.
select
  to_regclass('ragline.schema_revisions') is not null
  and to_regclass('ragline.alembic_version') is not null as exist
