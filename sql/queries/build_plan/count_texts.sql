-- One row: the distinct texts of the stored chunks that a build needs, as in count_chunks: how many
-- texts, how many of them have a vector in the embedding space (null: none), and the tokens of the
-- others.
with absent as (
  select distinct d.parse_id
{work_left/unindexed_documents}
    and d.source_id in (
      select s.id
      from ragline.sources as s
      join ragline.collections as o on o.id = s.collection_id
      where o.name = cast(:collection as text)
    )
),
wanted as (
  select c.text_hash, max(c.token_count) as token_count
  from absent as a
  join ragline.chunkings as m
    on m.parse_id = a.parse_id and m.chunker_fingerprint = cast(:chunker_fingerprint as text)
  join ragline.chunks as c on c.chunking_id = m.id
  group by c.text_hash
)
select
  count(*) as texts,
  count(e.text_hash) as embedded,
  coalesce(sum(w.token_count) filter (where e.text_hash is null), 0)::bigint as tokens
from wanted as w
left join ragline.embeddings as e
  on e.embedding_space_id = cast(:embedding_space_id as bigint) and e.text_hash = w.text_hash
