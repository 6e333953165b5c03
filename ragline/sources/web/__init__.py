"""The pages of one host, as a source.

`source` is what the registry knows, `settings` what the configuration says. `crawl` decides which
pages are visited, `site` asks for one of them, `pages` reads what came. Only the first two load
without the extra `web`.
"""
