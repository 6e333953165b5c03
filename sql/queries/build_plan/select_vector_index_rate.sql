-- One row, or none: entries and seconds of the last creation of a vector index. Indexes over vectors
-- of :dimension come first.
select
  g.vector_index_entries as entries,
  g.vector_index_seconds as seconds
from ragline.generations as g
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where g.vector_index_seconds > 0
order by e.dimension <> cast(:dimension as integer), g.id desc
limit 1
