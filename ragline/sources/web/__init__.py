"""The kind `web`: the pages of one host.

`source` lists and reads the pages, and `settings` describes the configuration of the kind. `crawl`
decides which pages are requested, `site` requests one page, and `response_reading` reads the
response. `source`, `settings` and the modules that they import load without the extra `web`.
"""
