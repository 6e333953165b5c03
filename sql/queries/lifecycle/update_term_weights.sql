-- Computes all term weights of a generation again, with a new average length.
update ragline.entries_generation
set lexical = ragline.bm25_term_weights(
  tsv, ragline.lexeme_count(tsv), cast(:average_length as double precision)
)
