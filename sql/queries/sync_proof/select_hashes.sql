-- Returns the content hashes of a source's ready documents whose listed version equals the version
-- in the ledger: (document_id, document_key, version, content_hash), in order of document id.
select d.document_id, d.id as document_key, d.version, d.content_hash
from ragline.documents as d
join listed as l on l.document_id = d.document_id and l.version = d.version
where
  d.source_id = cast(:source_id as bigint)
  and d.state = 'ready'
  and d.content_hash is not null
order by d.document_id
