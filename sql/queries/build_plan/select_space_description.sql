-- The description of an embedding space: what determines its vectors.
select s.description
from ragline.embedding_spaces as s
where s.id = cast(:embedding_space_id as bigint)
