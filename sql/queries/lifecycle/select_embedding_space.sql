-- Returns the key of an embedding space, or no row if it does not exist.
select id
from ragline.embedding_spaces
where fingerprint = cast(:fingerprint as text)
