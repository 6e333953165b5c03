-- Returns the token counts of a source's chunks that a chunker made, at most 20,000.
select c.token_count
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
join ragline.chunks as c on c.chunking_id = k.id
where
  s.name = cast(:source as text)
  and d.state not in ('missing', 'removed')
limit 20000
