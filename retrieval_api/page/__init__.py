"""The page for people: search, documents, freshness and quality, as HTML made on the server.

It uses the caller, the searcher and the readers of the API and can do nothing that the API cannot.

- `routes` answers `/`, receipts, freshness, feedback and signing in; `document_pages`,
  `explanation_pages` and `comparison_pages` answer theirs. `forms` reads what people typed.
- `chunk_text` renders what documents say: `markdown_text`, `restructured_text` (with
  `restructured_inline`) and `plain_text` find the markup, `marks` keeps the highlights, `links`
  says where a link may lead.
- `names`, `words`, `document_states`, `originals`, `run_links` and `facet_groups` say values in
  words; `charts` and `plots` draw; `rendering` fills the templates.
"""
