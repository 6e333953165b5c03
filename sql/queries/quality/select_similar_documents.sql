-- Returns document ids of a collection as suggestions for unknown ids, at most :limit. Ids with one
-- of the given file names come first, then all others, in order of id.
select d.document_id
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
where c.name = cast(:collection as text) and d.state not in ('missing', 'removed')
order by
  substring(d.document_id from '[^/]*$') = any(cast(:file_names as text[])) desc,
  d.document_id
limit cast(:limit as integer)
