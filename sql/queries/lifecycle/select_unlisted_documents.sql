-- Returns the documents that a complete listing does not contain: (id, document_id, is_moved,
-- is_held), in order of document id. A document was moved if a new document of the listing has the
-- same version or file name. Each new document explains one move.
with unlisted as (
  select d.id, d.document_id, d.version, substring(d.document_id from '[^/]*$') as file_name,
    d.held_since is not null as is_held
  from ragline.documents as d
  where
    d.source_id = cast(:source_id as bigint)
    and d.state not in ('missing', 'removed')
    and not exists (select from listed as l where l.document_id = d.document_id)
),
gone as (
  select
    u.*,
    row_number() over (partition by u.version order by u.document_id) as version_number,
    row_number() over (partition by u.file_name order by u.document_id) as name_number
  from unlisted as u
),
arrived as (
  select
    l.version,
    substring(l.document_id from '[^/]*$') as file_name,
    row_number() over (partition by l.version order by l.document_id) as version_number,
    row_number() over (
      partition by substring(l.document_id from '[^/]*$') order by l.document_id
    ) as name_number
  from listed as l
  where l.is_new
)
select
  g.id,
  g.document_id,
  exists (
    select
    from arrived as a
    where a.version = g.version and a.version_number = g.version_number
  )
  or exists (
    select
    from arrived as a
    where a.file_name = g.file_name and a.name_number = g.name_number
  ) as is_moved,
  g.is_held
from gone as g
order by g.document_id
