-- Rows of documents d of a collection after (:after_source, :after_id) that :principals may see, each
-- with its source s, its parse p and its place in the live generation.
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
left join ragline.placements as placed
  on placed.document_key = d.id and placed.generation_id = c.live_generation_id
where
  c.name = cast(:collection as text)
  and (cast(:source as text) is null or s.name = cast(:source as text))
  and (
    cast(:principals as text[]) is null
    or d.principals is null
    or d.principals && cast(:principals as text[])
  )
  and (s.name, d.document_id) > (cast(:after_source as text), cast(:after_id as text))
