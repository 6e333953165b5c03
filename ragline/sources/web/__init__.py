"""The kind `web`: the pages of one host.

`source` lists and reads, `settings` is what the configuration states. `crawl` decides which pages
are visited, `site` requests one page, `response_reading` reads the response. Only
`source`, `settings` and `urls` load without the extra `web`.
"""
