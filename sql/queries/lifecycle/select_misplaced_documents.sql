-- Claims documents of a source whose entries in a generation differ from what the ledger wants.
-- Rows: id, document_id, chunking_id (null: withdraw its entries), chunk_count, has_same_chunks (only what
-- stands beside the text differs); in order of id, those after :after, withdrawals or the others.
-- One that still lacks a vector is left to whoever makes it; :refused are left out.
select
  d.id,
  d.document_id,
  k.id as chunking_id,
  coalesce(k.chunk_count, 0) as chunk_count,
  coalesce(
    p.chunking_id = k.id
    and p.analysis_version is not distinct from cast(:analysis_version as text),
    false
  ) as has_same_chunks
from ragline.documents as d
left join ragline.chunkings as k
  on k.parse_id = d.parse_id
  and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
  and d.state not in ('missing', 'removed')
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
where
  d.source_id = cast(:source_id as bigint)
  and d.id <> all(cast(:refused as bigint[]))
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
  and d.id > cast(:after as bigint)
  and (k.id is null) = cast(:is_withdrawal as boolean)
order by d.id
limit cast(:limit as integer)
for no key update of d skip locked
