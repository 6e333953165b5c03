-- The key of an embedding space; no row when it does not exist.
select id
from ragline.embedding_spaces
where fingerprint = cast(:fingerprint as text)
