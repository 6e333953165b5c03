-- Returns the releases of a collection, oldest first. The last one is the release now. The first
-- columns say how the generation of the release was built: `model_files` is the beginning of the hash
-- of the files of the model, and no chunk has more tokens than the model reads.
select
  e.model as embedding_model,
  left(e.description ->> 'model_hash', 12) as model_files,
  e.dimension,
  least(
    (g.chunking ->> 'max_tokens')::integer,
    (e.description ->> 'max_tokens')::integer
  ) as max_tokens,
  (g.chunking ->> 'overlap_tokens')::integer as overlap_tokens,
  rtrim(g.language) as language,
  g.analysis_version as text_analysis,
{columns/release}
from ragline.releases as r
join ragline.collections as c on c.id = r.collection_id
join ragline.generations as g on g.id = r.generation_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where c.name = cast(:collection as text)
order by r.id
