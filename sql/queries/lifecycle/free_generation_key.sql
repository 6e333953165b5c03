-- Lets a generation of another analysis stand beside the one to come. The unique index of releases
-- that know no analysis compares the language, so blanks are put behind it; Postgres does not read
-- them.
update ragline.generations as g
set language = g.language || repeat(
  ' ',
  1 + cast(
    (
      select count(*)
      from ragline.generations as o
      where
        o.collection_id = g.collection_id
        and o.id <> g.id
        and rtrim(o.language) = g.language
        and o.state <> 'dropped'
    ) as integer
  )
)
where
  g.collection_id = cast(:collection_id as bigint)
  and g.embedding_space_id = cast(:embedding_space_id as bigint)
  and g.chunker_fingerprint = cast(:chunker_fingerprint as text)
  and g.language = cast(:language as text)
  and g.state <> 'dropped'
  and g.analysis_version is distinct from cast(:analysis_version as text)
