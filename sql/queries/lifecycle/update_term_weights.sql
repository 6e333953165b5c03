-- Makes the term weights of a generation anew, with the average length it has now.
update ragline.entries_generation
set lexical = ragline.bm25_term_weights(
  tsv, ragline.lexeme_count(tsv), cast(:average_length as double precision)
)
