-- A parse as its parser returned it, and its size in bytes; no row when it was deleted meanwhile.
select p.text, p.elements, p.file_type, p.title, octet_length(p.text) as bytes
from ragline.parses as p
where p.id = cast(:parse_id as bigint)
