-- Claims parses of a source that a chunker has not chunked. Returns (id, text, elements, file_type,
-- title), in order of id, for ids after :after. Parses that another worker has claimed are skipped.
select p.id, p.text, p.elements, p.file_type, p.title
{work_left/unchunked_parses}
  and p.id > cast(:after as bigint)
order by p.id
limit cast(:limit as integer)
for no key update of p skip locked
