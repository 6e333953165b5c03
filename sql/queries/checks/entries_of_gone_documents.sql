-- Documents of a source that must serve nothing and have an entry all the same, in order of id.
select distinct e.document_id
from ragline.entries_generation as e
left join ragline.documents as d on d.id = e.document_key
where
  e.source = cast(:source as text)
  and (
    d.id is null
    or d.state in ('missing', 'removed', 'quarantined', 'unsupported')
  )
  and cast(:generation_id as bigint) is not null
order by e.document_id
