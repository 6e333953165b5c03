-- Asks for a vector of each text that a source's documents need in a generation and that has
-- none. Only documents whose entries have to change are looked at. The row count is what is new.
insert into ragline.embedding_requests (embedding_space_id, text_hash, token_count)
select cast(:embedding_space_id as bigint), c.text_hash, max(c.token_count)
from ragline.documents as d
join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
join ragline.chunks as c on c.chunking_id = k.id
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and p.chunking_id is distinct from k.id
  and not exists (
    select
    from ragline.embeddings as e
    where
      e.embedding_space_id = cast(:embedding_space_id as bigint)
      and e.text_hash = c.text_hash
  )
group by c.text_hash
order by c.text_hash
on conflict (embedding_space_id, text_hash) do nothing
