-- Returns one row (entries): the number of entries of a source in a generation.
select coalesce(sum(p.entry_count), 0)::bigint as entries
from ragline.placements as p
join ragline.documents as d on d.id = p.document_key
where
  d.source_id = cast(:source_id as bigint)
  and p.generation_id = cast(:generation_id as bigint)
