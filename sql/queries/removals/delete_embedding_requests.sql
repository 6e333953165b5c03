-- Deletes requests for vectors of texts that no chunk holds any more; the row count is how many.
delete from ragline.embedding_requests as r
where not exists (select from ragline.chunks as c where c.text_hash = r.text_hash)
