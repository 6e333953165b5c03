-- Returns the content hashes of a source's ready documents whose listed version equals the version
-- in the ledger: (document_id, document_key, version, content_hash, total), in random order, at most
-- :limit. `total` is the number of such documents. If :document_ids is not null, only these
-- documents are considered.
select
  d.document_id,
  d.id as document_key,
  d.version,
  d.content_hash,
  count(*) over () as total
from ragline.documents as d
join listed as l on l.document_id = d.document_id and l.version = d.version
where
  d.source_id = cast(:source_id as bigint)
  and d.state = 'ready'
  and d.content_hash is not null
  and (
    cast(:document_ids as text[]) is null
    or d.document_id = any(cast(:document_ids as text[]))
  )
order by random()
limit cast(:limit as bigint)
