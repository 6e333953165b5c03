-- Returns one row (documents, entries): the number of a source's documents, and of their entries in
-- a generation.
select
  count(*) filter (where d.state not in ('missing', 'removed')) as documents,
  coalesce(sum(p.entry_count), 0)::bigint as entries
from ragline.documents as d
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
where d.source_id = cast(:source_id as bigint)
