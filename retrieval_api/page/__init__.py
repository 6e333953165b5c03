"""The page for people: search, documents, freshness and quality, as HTML made on the server.

It stands on the same caller, searcher and readers as the API and can do nothing that the API
cannot. `routes` answers requests, `forms` reads what people typed, `words` says values in words,
`charts` draws, `rendering` fills the templates.
"""
