-- Work left of the stage `index`: the documents d of a source whose entries in a generation differ
-- from the ledger, except :failed_documents. k is the chunking that the entries should have;
-- without a row, the entries must be deleted. p is the placement of the entries that exist. A
-- document that lacks a vector is not included, because its vectors are work of the stage `embed`.
from ragline.documents as d
left join ragline.chunkings as k
  on k.parse_id = d.parse_id
  and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
  and d.state not in ('missing', 'removed')
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
where
  d.source_id = cast(:source_id as bigint)
  and d.id <> all(cast(:failed_documents as bigint[]))
  and case
    when k.id is not null
      then (
          p.chunking_id is distinct from k.id
          and not exists (
            select
            from ragline.chunks as c
            left join ragline.embeddings as e
              on e.embedding_space_id = cast(:embedding_space_id as bigint)
              and e.text_hash = c.text_hash
            where c.chunking_id = k.id and e.text_hash is null
          )
        )
        or (
          p.chunking_id = k.id
          and (
            p.content_hash is distinct from d.parsed_content_hash
            or p.attributes_hash is distinct from d.attributes_hash
            or p.analysis_version is distinct from cast(:analysis_version as text)
          )
        )
    else p.document_key is not null
      and (d.parse_id is null or d.state in ('missing', 'removed'))
  end
