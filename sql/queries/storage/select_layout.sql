-- Whether the schemas and the extension that everything else needs are there: one row.
select
  to_regnamespace('ragline') is not null
  and to_regnamespace('dagster') is not null
  and exists (select from pg_extension where extname = 'vector') as is_laid_out
