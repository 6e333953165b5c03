-- Returns the most frequent values of each field of a collection's indexed documents: (field,
-- value, document_count, documents), in order of field and descending count. At most :sample
-- documents that :principals may see are counted. A field is left out if all documents have the
-- same value, or if nearly all values differ. The elements of a list are counted separately.
with listed as materialized (
  select
    s.name as source,
    p.file_type,
    d.metadata
  from ragline.collections as c
  join ragline.placements as placed on placed.generation_id = c.live_generation_id
  join ragline.documents as d on d.id = placed.document_key
  join ragline.sources as s on s.id = d.source_id
  left join ragline.parses as p on p.id = d.parse_id
  where
    c.name = cast(:collection as text)
    and placed.entry_count > 0
    and (
      cast(:principals as text[]) is null
      or d.principals is null
      or d.principals && cast(:principals as text[])
    )
  limit cast(:sample as integer)
),
stated as (
  select 'source' as field, to_jsonb(source) as value
  from listed
  union all
  select 'file_type', to_jsonb(file_type)
  from listed
  where file_type is not null
  union all
  select 'metadata.' || pair.key, element.value
  from listed
  cross join jsonb_each(listed.metadata) as pair
  cross join jsonb_array_elements(
    case jsonb_typeof(pair.value) when 'array' then pair.value else jsonb_build_array(pair.value) end
  ) as element
  where
    pair.key <> ''
    and position('.' in pair.key) = 0
    and jsonb_typeof(element.value) in ('string', 'number', 'boolean')
    and length(element.value::text) <= cast(:longest as integer)
),
counted as (
  select
    field,
    value,
    count(*) as document_count,
    count(*) over (partition by field) as values,
    sum(count(*)) over (partition by field) as stated,
    row_number() over (partition by field order by count(*) desc, value) as rank
  from stated
  group by field, value
)
select
  field,
  value,
  document_count,
  (select count(*) from listed) as documents
from counted
where
  rank <= cast(:most as integer)
  and (values > 1 or stated < (select count(*) from listed))
  and (values <= 20 or 2 * values <= stated)
order by field, rank
