-- Returns the origin of one entry of a generation: the present document in the ledger, the run that
-- wrote the entry, and the settings of the generation. Returns no row if the entry does not exist
-- or the caller may not see it. The caller may not see an entry of another tenant than :tenant, or
-- of a collection outside :collections. The caller may not see an entry with principals if none of
-- them is in :principals.
select
  c.name as collection,
  g.id as generation_id,
  g.state as generation_state,
  g.chunking,
  rtrim(g.language) as language,
  g.chunker_fingerprint,
  g.promoted_at,
  m.model,
  m.fingerprint as space_fingerprint,
  s.kind as source_kind,
  d.state as document_state,
  d.version as listed_version,
  d.content_hash as listed_content_hash,
  d.visible_at,
  r.started_at as run_started_at,
  r.finished_at as run_finished_at,
  r.code_version as run_code_version,
  (
    d.id is not null
    and d.state not in ('missing', 'removed')
    and d.version = e.source_version
    and c.live_generation_id = g.id
  ) as is_current
from ragline.entries_generation as e
join ragline.generations as g on g.id = cast(:generation_id as bigint)
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as m on m.id = g.embedding_space_id
left join ragline.documents as d on d.id = e.document_key
left join ragline.sources as s on s.id = d.source_id
left join ragline.source_syncs as r on r.run_id = e.run_id and r.source_id = s.id
where
  e.id = cast(:entry_id as bigint)
  and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
  and (
    cast(:collections as text[]) is null
    or c.name = any(cast(:collections as text[]))
  )
  and (
    cast(:principals as text[]) is null
    or e.principals is null
    or e.principals && cast(:principals as text[])
  )
