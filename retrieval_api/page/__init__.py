"""The search page: search, documents, freshness and quality, as HTML from the server.

It uses the same caller, searcher and operations as the API. It can do only what the API can do.

- `routes` answers `/`, receipts, freshness, feedback and sign-in. `document_pages`,
  `explanation_pages` and `comparison_pages` answer their paths. `session` reads the key from a
  cookie, `forms` reads the fields of forms, and `error_pages` shows problems.
- `chunk_text` renders the text of documents. `markdown_text`, `restructured_text` (with
  `restructured_inline` and `restructured_tables`) and `plain_text` find the markup.
  `highlight_markers` keeps the positions of highlights, and `links` decides which addresses the
  page links to.
- `formatting`, `document_states`, `originals`, `run_links` and `facet_groups` describe values in
  words. `plots` builds charts. `rendering` fills the templates.
"""
