-- Deletes the stored values of a source, except those with the given keys.
delete from ragline.source_notes
where source = cast(:source as text) and key <> all(cast(:keys as text[]))
