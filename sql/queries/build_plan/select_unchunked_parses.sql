-- A random sample of the parses that a build must chunk, as in count_chunks: their ids and
-- their numbers of documents, parses of at most :max_bytes first.
with absent as (
  select d.parse_id, count(*) as documents
{work_left/unindexed_documents}
    and d.source_id in (
      select s.id
      from ragline.sources as s
      join ragline.collections as o on o.id = s.collection_id
      where o.name = cast(:collection as text)
    )
  group by d.parse_id
)
select t.id, a.documents
from absent as a
join ragline.parses as t on t.id = a.parse_id
left join ragline.chunkings as m
  on m.parse_id = a.parse_id and m.chunker_fingerprint = cast(:chunker_fingerprint as text)
where m.id is null
order by octet_length(t.text) > cast(:max_bytes as integer), hashint8(t.id), t.id
limit cast(:limit as integer)
