-- Returns the names of the text search configurations in the search path, in order.
select distinct cfgname::text as language
from pg_ts_config
where pg_ts_config_is_visible(oid)
order by language
