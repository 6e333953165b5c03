-- Claims parses of a source's documents that this chunker has not cut yet, in order of id, those
-- after :after, but for :refused. What another worker cuts is skipped, and what could not be cut
-- waits for its next attempt.
select p.id, p.text, p.elements, p.file_type, p.title
from ragline.parses as p
where
  exists (
    select
    from ragline.documents as d
    where
      d.parse_id = p.id
      and d.source_id = cast(:source_id as bigint)
      and d.state not in ('missing', 'removed')
      and (d.state <> 'failed' or d.error_name is distinct from 'ChunkingError')
  )
  and not exists (
    select
    from ragline.chunkings as k
    where k.parse_id = p.id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
  )
  and p.id > cast(:after as bigint)
  and p.id <> all(cast(:refused as bigint[]))
order by p.id
limit cast(:limit as integer)
for no key update of p skip locked
