-- Forgets the counts of a generation's words, to count them anew.
delete from ragline.lexemes
where generation_id = cast(:generation_id as bigint)
