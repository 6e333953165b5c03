-- Limits the visible rows to those of one tenant until the end of the transaction. Returns one row
-- (tenant, role). If the role does not exist, row-level security does not apply. The service logs a
-- warning about this when it starts.
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
