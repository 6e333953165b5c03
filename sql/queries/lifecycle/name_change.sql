-- Says who changes the states of generations in this transaction, and why. One row.
select
  set_config('ragline.changed_by', cast(:changed_by as text), true) as changed_by,
  set_config('ragline.change_reason', coalesce(cast(:reason as text), ''), true) as reason
