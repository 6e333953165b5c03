-- Deletes the requests of texts that no chunk has any more. The row count is their number.
delete from ragline.embedding_requests as r
where not exists (select from ragline.chunks as c where c.text_hash = r.text_hash)
