-- Returns the id of the parse with this fingerprint, or no row.
select id
from ragline.parses
where fingerprint = cast(:fingerprint as text)
