-- Makes the unique key of a new generation free if a generation with another text analysis has it.
-- For this, blanks are appended to the language of the old generation. The unique index is from
-- releases without a text analysis, and contains the language but not the analysis. Postgres
-- ignores the blanks when it reads a language.
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
