-- Claims documents of a source that must be read. Returns (id, document_id, content_hash,
-- parsed_content_hash, attempts), in order of document id, for document ids after :after. Documents
-- that another worker has claimed are skipped.
select d.id, d.document_id, d.content_hash, d.parsed_content_hash, d.attempts
{work_left/unread_documents}
  and d.document_id > cast(:after as text)
order by d.document_id
limit cast(:limit as integer)
for no key update of d skip locked
