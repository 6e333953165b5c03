-- Inserts a generation of a collection. Returns one row (id), or no row if the generation already
-- exists.
insert into ragline.generations (
  collection_id, embedding_space_id, chunker_fingerprint, chunking, language, analysis_version, state
)
values (
  cast(:collection_id as bigint),
  cast(:embedding_space_id as bigint),
  cast(:chunker_fingerprint as text),
  cast(:chunking as jsonb),
  cast(:language as text),
  cast(:analysis_version as text),
  'building'
)
on conflict (collection_id, embedding_space_id, chunker_fingerprint, language)
  where state <> 'dropped' do nothing
returning id
