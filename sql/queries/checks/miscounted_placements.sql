-- Documents of a source whose entries are not as many as were placed, in order of id.
select d.document_id
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
left join (
  select document_key, count(*) as entries
  from ragline.entries_generation
  group by document_key
) as held on held.document_key = d.id
where
  s.name = cast(:source as text)
  and coalesce(p.entry_count, 0) <> coalesce(held.entries, 0)
order by d.document_id
