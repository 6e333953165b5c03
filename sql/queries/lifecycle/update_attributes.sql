-- Replaces the metadata and the principals of documents. A ready document becomes pending until its
-- entries are rewritten.
update ragline.documents as d
set
  state = case when d.state = 'ready' then 'pending' else d.state end,
  noticed_at = case when d.state = 'ready' then now() else d.noticed_at end,
  clock_started_at = case when d.state = 'ready' then now() else d.clock_started_at end,
  metadata = t.metadata::jsonb,
  principals = case when t.principals is null then null
    else array(select jsonb_array_elements_text(t.principals::jsonb)) end,
  attributes_hash = t.attributes_hash
from unnest(
  cast(:ids as bigint[]), cast(:metadata as text[]), cast(:principals as text[]),
  cast(:attributes_hashes as text[])
) as t (id, metadata, principals, attributes_hash)
where d.id = t.id
