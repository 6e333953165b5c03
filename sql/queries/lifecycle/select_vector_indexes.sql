-- Returns the vector indexes of a generation that exist: `idx` is the one that searches use, `new`
-- replaces it after its creation, and `old` was replaced. An index that states no parameters has
-- those of pgvector.
select
  n.name,
  i.indisvalid as is_valid,
  coalesce(
    (
      select o.option_value::integer
      from pg_options_to_table(c.reloptions) as o
      where o.option_name = 'm'
    ),
    16
  ) as m,
  coalesce(
    (
      select o.option_value::integer
      from pg_options_to_table(c.reloptions) as o
      where o.option_name = 'ef_construction'
    ),
    64
  ) as ef_construction
from (
  values
    ('idx', to_regclass('ragline.entries_generation_embedding_idx')),
    ('new', to_regclass('ragline.entries_generation_embedding_new')),
    ('old', to_regclass('ragline.entries_generation_embedding_old'))
) as n (name, index_id)
join pg_index as i on i.indexrelid = n.index_id
join pg_class as c on c.oid = n.index_id
order by n.name
