-- The ids and cosines of the entries of a generation that are nearest to a vector, nearest first.
select
  id,
  1 - (embedding <=> cast(:embedding as halfvec)) as cosine
from ragline.entries_generation
order by embedding <=> cast(:embedding as halfvec)
limit cast(:count as integer)
