-- Says which report of the gate a promotion in this transaction is based on, and whether it is
-- forced. One row.
select
  set_config('ragline.gate_report', coalesce(cast(:report_id as bigint)::text, ''), true)
    as gate_report,
  set_config('ragline.is_forced', cast(:is_forced as boolean)::text, true) as is_forced
