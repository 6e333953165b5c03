-- The key of an embedding space; no row when there is none yet.
select id
from ragline.embedding_spaces
where fingerprint = cast(:fingerprint as text)
