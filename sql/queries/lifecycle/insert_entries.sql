-- Inserts the chunks of some documents into a generation as entries, and adds their lexemes to the
-- generation's counts. :mains and :addeds are the analysed texts of the chunks whose analysed text
-- differs from their text. Returns one row (inserted): the number of entries.
with wanted as (
  select
    d.id as document_key,
    c.ordinal,
    c.id as chunk_id,
    d.document_id,
    s.name as source,
    p.title,
    c.header,
    c.text,
    c.heading_path,
    c.page,
    c.char_start,
    c.char_end,
    d.metadata,
    d.principals,
    e.embedding,
    ragline.make_lexemes(
      cast(:language as regconfig), coalesce(a.main, c.header || c.text), a.added
    ) as tsv,
    c.text_hash,
    d.parsed_content_hash,
    d.read_version,
    d.changed_at,
    p.parser_fingerprint
  from unnest(cast(:document_keys as bigint[]), cast(:chunking_ids as bigint[]))
    as t (document_key, chunking_id)
  join ragline.documents as d on d.id = t.document_key
  join ragline.sources as s on s.id = d.source_id
  join ragline.parses as p on p.id = d.parse_id
  join ragline.chunks as c on c.chunking_id = t.chunking_id
  left join unnest(
    cast(:chunk_ids as bigint[]), cast(:mains as text[]), cast(:addeds as text[])
  ) as a (chunk_id, main, added)
    on a.chunk_id = c.id
  join ragline.embeddings as e
    on e.embedding_space_id = cast(:embedding_space_id as bigint) and e.text_hash = c.text_hash
),
inserted as (
  insert into ragline.entries_generation (
    document_key, ordinal, chunk_id, document_id, source, title, header, text, heading_path, page,
    char_start, char_end, metadata, principals, embedding, lexical, tsv, text_hash, content_hash,
    source_version, source_changed_at, parser_fingerprint, run_id, indexed_at
  )
  select
    w.document_key, w.ordinal, w.chunk_id, w.document_id, w.source, w.title, w.header, w.text,
    w.heading_path, w.page, w.char_start, w.char_end, w.metadata, w.principals,
    w.embedding,
    ragline.bm25_term_weights(
      w.tsv, ragline.lexeme_count(w.tsv), cast(:average_length as double precision)
    ),
    w.tsv, w.text_hash, w.parsed_content_hash, w.read_version, w.changed_at, w.parser_fingerprint,
    cast(:run_id as text), clock_timestamp()
  from wanted as w
  order by w.document_key, w.ordinal
  returning tsv
),
terms as (
  select t.lexeme, count(*) as frequency
  from inserted, unnest(inserted.tsv) as t
  group by t.lexeme
),
raised as (
  insert into ragline.lexemes as l (generation_id, lexeme, document_frequency)
  select cast(:generation_id as bigint), terms.lexeme, terms.frequency
  from terms
  on conflict (generation_id, lexeme) do update
  set document_frequency = l.document_frequency + excluded.document_frequency
),
totals as (
  select count(*) as entries, coalesce(sum(ragline.lexeme_count(tsv)), 0) as lexemes
  from inserted
)
update ragline.generations as g
set
  entry_count = g.entry_count + totals.entries,
  lexeme_count = g.lexeme_count + totals.lexemes
from totals
where g.id = cast(:generation_id as bigint)
returning totals.entries as inserted
