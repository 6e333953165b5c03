-- Forgets the notes of a source that are not under one of these keys.
delete from ragline.source_notes
where source = cast(:source as text) and key <> all(cast(:keys as text[]))
