-- Returns one row: the rotation of an embedding space, and the time since which all its vectors have
-- token codes. Both can be null.
select token_rotation, coded_at
from ragline.embedding_spaces
where id = cast(:embedding_space_id as bigint)
