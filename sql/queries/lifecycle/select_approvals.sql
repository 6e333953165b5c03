-- The approvals of a generation, the oldest first.
select id, generation_id, report_id, approved_at, approved_by, reason
from ragline.generation_approvals
where generation_id = cast(:generation_id as bigint)
order by id
