-- Deletes every document of a source from the ledger. The row count is their number.
delete from ragline.documents
where source_id = cast(:source_id as bigint)
