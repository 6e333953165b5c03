-- The text search configurations that are in the search path, in order of name.
select distinct cfgname::text as language
from pg_ts_config
where pg_ts_config_is_visible(oid)
order by language
