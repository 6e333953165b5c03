-- Returns the fields of some entries that a hit shows, in any order. `is_stale` says that the
-- source already has another version, or that Ragline did not check the source within
-- `visible_within`.
select
  e.id,
  e.document_key,
  e.document_id,
  e.source,
  e.title,
  e.header,
  e.text,
  e.heading_path,
  e.page,
  e.char_start,
  e.char_end,
  e.ordinal,
  e.metadata,
  e.text_hash,
  e.content_hash,
  e.source_version,
  e.source_changed_at,
  e.parser_fingerprint,
  e.run_id,
  e.indexed_at,
  p.file_type,
  s.proven_at as confirmed_at,
  (
    d.id is null
    or d.state in ('missing', 'removed')
    or d.version <> e.source_version
    or s.proven_at is null
    or s.proven_at < now() - s.visible_within
  ) as is_stale
from ragline.entries_generation as e
left join ragline.documents as d on d.id = e.document_key
left join ragline.sources as s on s.id = d.source_id
left join ragline.parses as p on p.id = d.parse_id
where e.id = any(cast(:ids as bigint[]))
