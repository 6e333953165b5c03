-- Returns each change of the state of a generation, oldest first. report_id and is_forced are those
-- of a promotion.
select from_state, to_state, changed_at, changed_by, reason, report_id, is_forced
from ragline.generation_events
where generation_id = cast(:generation_id as bigint)
order by id
