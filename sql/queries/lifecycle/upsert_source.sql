-- Inserts a source, or updates its kind and limits from the configuration. Returns one row (id,
-- collection_id).
insert into ragline.sources as s (collection_id, name, kind, visible_within, forgotten_within)
values (
  cast(:collection_id as bigint),
  cast(:name as text),
  cast(:kind as text),
  cast(:visible_within as interval),
  cast(:forgotten_within as interval)
)
on conflict (name) do update
set
  kind = excluded.kind,
  visible_within = excluded.visible_within,
  forgotten_within = excluded.forgotten_within
returning id, collection_id
