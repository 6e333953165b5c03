-- Documents of a source with an entry whose vector has no length, in order of id.
select distinct e.document_id
from ragline.entries_generation as e
where
  e.source = cast(:source as text)
  and l2_norm(e.embedding) < 0.01
  and cast(:generation_id as bigint) is not null
order by e.document_id
