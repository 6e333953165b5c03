-- Returns the id of the database of the session, and the user as SQL writes the name. One row.
select
  d.oid::bigint as id,
  quote_ident(current_user) as user_name
from pg_database as d
where d.datname = current_database()
