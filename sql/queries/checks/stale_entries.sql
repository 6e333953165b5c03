-- Returns the documents of a source with an entry whose content hash, metadata or principals differ
-- from the ledger: (document_id, document_key), in order of id. Checks only one part of the
-- documents: part :part of :parts, counted from 0.
select e.document_id, e.document_key
from ragline.entries_generation as e
join ragline.documents as d on d.id = e.document_key
left join ragline.placements as p
  on p.document_key = e.document_key and p.generation_id = cast(:generation_id as bigint)
where
  e.source = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(e.document_key, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and (
    p.document_key is null
    or e.content_hash <> p.content_hash
    or (
      d.state = 'ready'
      and (
        e.content_hash is distinct from d.parsed_content_hash
        or e.document_id <> d.document_id
        or e.metadata <> d.metadata
        or e.principals is distinct from d.principals
      )
    )
  )
group by e.document_id, e.document_key
order by e.document_id
