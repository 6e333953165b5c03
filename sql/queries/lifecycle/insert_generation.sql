-- Inserts a generation of a collection. Returns one row (id), or no row if the generation already
-- exists. If the last generation with the same settings was held when it was dropped, the new one is
-- held too, because the decision of the operator outlives the table.
insert into ragline.generations (
  collection_id, embedding_space_id, chunker_fingerprint, chunking, language, analysis_version,
  state, held_at
)
values (
  cast(:collection_id as bigint),
  cast(:embedding_space_id as bigint),
  cast(:chunker_fingerprint as text),
  cast(:chunking as jsonb),
  cast(:language as text),
  cast(:analysis_version as text),
  'building',
  (
    select o.held_at
    from ragline.generations as o
    where
      o.collection_id = cast(:collection_id as bigint)
      and o.embedding_space_id = cast(:embedding_space_id as bigint)
      and o.chunker_fingerprint = cast(:chunker_fingerprint as text)
      and rtrim(o.language) = cast(:language as text)
      and o.analysis_version is not distinct from cast(:analysis_version as text)
    order by o.id desc
    limit 1
  )
)
on conflict (collection_id, embedding_space_id, chunker_fingerprint, language)
  where state <> 'dropped' do nothing
returning id
