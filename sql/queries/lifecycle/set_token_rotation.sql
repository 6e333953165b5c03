-- Stores the rotation of an embedding space. If another process stored one first, nothing happens.
update ragline.embedding_spaces
set token_rotation = cast(:rotation as bytea)
where id = cast(:embedding_space_id as bigint) and token_rotation is null
