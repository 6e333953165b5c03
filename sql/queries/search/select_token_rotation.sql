-- Returns one row: the rotation of an embedding space, or null if it has none yet. Returns no row if
-- the space does not exist.
select token_rotation
from ragline.embedding_spaces
where fingerprint = cast(:space_fingerprint as text)
