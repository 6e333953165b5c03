-- Stores the approval of a candidate. Returns the row.
insert into ragline.generation_approvals (generation_id, report_id, approved_by, reason)
values (
  cast(:generation_id as bigint),
  cast(:report_id as bigint),
  cast(:approved_by as text),
  cast(:reason as text)
)
returning id, generation_id, report_id, approved_at, approved_by, reason
