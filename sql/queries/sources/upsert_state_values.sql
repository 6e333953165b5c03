-- Stores values of a source. A value with the same key is replaced.
insert into ragline.source_notes (source, key, value)
select cast(:source as text), t.key, t.value::jsonb
from unnest(cast(:keys as text[]), cast(:values as text[])) as t (key, value)
on conflict (source, key) do update
set value = excluded.value, noted_at = now()
