-- Returns the contexts of some entries: (id, before, after, section). `before` and `after` are the
-- texts of the neighbouring chunks. `section` is the text of the document under the same heading,
-- with at most :max_chars characters around the entry.
select
  e.id,
  (
    select n.text
    from ragline.entries_generation as n
    where n.document_key = e.document_key and n.ordinal = e.ordinal - 1
  ) as before,
  (
    select n.text
    from ragline.entries_generation as n
    where n.document_key = e.document_key and n.ordinal = e.ordinal + 1
  ) as after,
  substring(
    p.text
    from greatest(bounds.low, e.char_start - cast(:max_chars as integer) / 2) + 1
    for least(bounds.high - bounds.low, cast(:max_chars as integer))
  ) as section
from ragline.entries_generation as e
join ragline.chunks as c on c.id = e.chunk_id
join ragline.chunkings as k on k.id = c.chunking_id
join ragline.parses as p on p.id = k.parse_id
cross join lateral (
  select min(n.char_start) as low, max(n.char_end) as high
  from ragline.entries_generation as n
  where
    n.document_key = e.document_key
    and n.ordinal > coalesce(
      (
        select max(o.ordinal)
        from ragline.entries_generation as o
        where
          o.document_key = e.document_key
          and o.ordinal < e.ordinal
          and o.heading_path <> e.heading_path
      ),
      -1
    )
    and n.ordinal < coalesce(
      (
        select min(o.ordinal)
        from ragline.entries_generation as o
        where
          o.document_key = e.document_key
          and o.ordinal > e.ordinal
          and o.heading_path <> e.heading_path
      ),
      2147483647
    )
) as bounds
where e.id = any(cast(:ids as bigint[]))
