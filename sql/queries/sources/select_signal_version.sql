-- Returns the version of the last signal of a source as one row (version). Without a signal, it is
-- 0.
select coalesce(max(s.version), 0) as version
from ragline.change_signals as s
where s.source = cast(:source as text)
