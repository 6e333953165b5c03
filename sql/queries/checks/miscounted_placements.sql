-- Documents of a source whose entries are not as many as were placed, in order of id:
-- (document_id, document_key). One part in :parts of the documents is looked at.
select d.document_id, d.id as document_key
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
left join (
  select document_key, count(*) as entries
  from ragline.entries_generation
  where mod(document_key, cast(:parts as bigint)) = cast(:part as bigint)
  group by document_key
) as held on held.document_key = d.id
where
  s.name = cast(:source as text)
  and mod(d.id, cast(:parts as bigint)) = cast(:part as bigint)
  and coalesce(p.entry_count, 0) <> coalesce(held.entries, 0)
order by d.document_id
