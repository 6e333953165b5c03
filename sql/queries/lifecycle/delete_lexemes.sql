-- Deletes the lexeme counts of a generation before they are counted again.
delete from ragline.lexemes
where generation_id = cast(:generation_id as bigint)
