-- Documents of a source with an entry whose chunk is gone or has another text, in order of id.
select distinct e.document_id
from ragline.entries_generation as e
left join ragline.chunks as c on c.id = e.chunk_id
where
  e.source = cast(:source as text)
  and (c.id is null or c.text_hash <> e.text_hash or c.text <> e.text)
  and cast(:generation_id as bigint) is not null
order by e.document_id
