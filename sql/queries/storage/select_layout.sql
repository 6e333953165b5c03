-- Returns one row (is_laid_out): whether the schemas and the extension exist.
select
  to_regnamespace('ragline') is not null
  and to_regnamespace('dagster') is not null
  and exists (select from pg_extension where extname = 'vector') as is_laid_out
