-- Frees the unique key of the generation to insert from generations with another text analysis:
-- appends blanks to their language. The unique index of releases without text analysis compares the
-- language; Postgres ignores the blanks when it reads a language.
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
