-- Whether the role that row-level security stands on is there and may be taken: one row.
select exists (
  select
  from pg_roles as r
  where r.rolname = 'ragline_tenant' and pg_has_role(current_user, r.oid, 'member')
) as has_role
