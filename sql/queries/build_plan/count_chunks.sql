-- One row: what a build needs for the readable documents of a collection that a generation (null:
-- no generation) does not contain. documents and parses; of these parses chunked_parses have the
-- chunks of this chunker: chunks of all parses, entries of all documents. unchunked_bytes of all
-- other parses, and the bytes with each document counted. unread_documents are listed and have no
-- parse yet.
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
select
  coalesce(sum(a.documents), 0)::bigint as documents,
  count(*) as parses,
  count(m.id) as chunked_parses,
  coalesce(sum(m.chunk_count), 0)::bigint as chunks,
  coalesce(sum(m.chunk_count * a.documents), 0)::bigint as entries,
  coalesce(sum(octet_length(t.text)) filter (where m.id is null), 0)::bigint as unchunked_bytes,
  coalesce(sum(octet_length(t.text) * a.documents) filter (where m.id is null), 0)::bigint
    as unchunked_entry_bytes,
  (
    select count(*)
    from ragline.documents as u
    join ragline.sources as s on s.id = u.source_id
    join ragline.collections as o on o.id = s.collection_id
    where o.name = cast(:collection as text) and u.state = 'pending' and u.parse_id is null
  ) as unread_documents
from absent as a
join ragline.parses as t on t.id = a.parse_id
left join ragline.chunkings as m
  on m.parse_id = a.parse_id and m.chunker_fingerprint = cast(:chunker_fingerprint as text)
