-- Locks the state of a generation until the transaction ends, and waits for writers of its entries.
-- It does not wait for an update of all term weights. Returns one row (state).
select state
from ragline.generations
where id = cast(:generation_id as bigint)
for no key update
