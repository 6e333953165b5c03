-- Returns one row (has_role): whether the role for row-level security exists and the user may set
-- it.
select exists (
  select
  from pg_roles as r
  where r.rolname = 'ragline_tenant' and pg_has_role(current_user, r.oid, 'member')
) as has_role
