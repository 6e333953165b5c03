-- From here to the end of the transaction only the rows of one tenant exist.
select
  set_config('ragline.tenant', cast(:tenant as text), true) as tenant,
  set_config('role', 'ragline_tenant', true) as role
