-- Until the end of the transaction, only the rows of one tenant are visible. Without the role,
-- row-level security does not apply; the service logs a warning about it when it starts.
select
  set_config('ragline.tenant', cast(:tenant as text), true) as tenant,
  set_config(
    'role',
    case
      when exists (
        select
        from pg_roles as r
        where r.rolname = 'ragline_tenant' and pg_has_role(current_user, r.oid, 'member')
      ) then 'ragline_tenant'
      else 'none'
    end,
    true
  ) as role
