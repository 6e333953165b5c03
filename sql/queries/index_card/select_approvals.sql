-- Returns the approvals of a generation, oldest first, each with the report of the gate that the
-- person had read.
select approved_at, approved_by, reason, report_id
from ragline.generation_approvals
where generation_id = cast(:generation_id as bigint)
order by id
