"""MkDocs hooks that add the pages outside docs/ to the site, and that adapt the links of pages.

A page names other files by their paths in the repository, so that its links also work there. The
hooks replace these paths by paths of the site. Each other file to which a page links becomes a file
of the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
# Pages outside docs/, with their names on the site.
PAGES = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/churn/README.md": "churn.md",
    "deploy/README.md": "deploy.md",
    "deploy/ci/README.md": "ci.md",
    "examples/README.md": "examples.md",
}
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(?=[)#])")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace each folder in the navigation by its pages, README.md first."""
    config.nav = _expand(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, and the files that any page links to."""
    for path, uri in PAGES.items():
        files.append(_build_file(config, path, uri))
    linked = {link for path in _list_paths(files) for link in _list_links(path)}
    for path in sorted(linked):
        uri = _find_uri(path)
        if (REPOSITORY / path).is_file() and files.get_file_from_path(uri) is None:
            files.append(_build_file(config, path, uri))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Replace each path of the repository in a link by the path of the site."""
    own = _find_path(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        uri = _find_uri(_resolve(own, match.group()))
        return posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(replace, markdown)


def _expand(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_expand(item) for item in nav]
    if isinstance(nav, dict):
        return {title: _expand(item) for title, item in nav.items()}
    if nav.endswith("/"):
        names = sorted(path.name for path in (REPOSITORY / "docs" / nav).glob("*.md"))
        return [nav + name for name in sorted(names, key=lambda name: name != "README.md")]
    return nav


def _build_file(config: MkDocsConfig, path: str, uri: str) -> File:
    return File.generated(config, uri, abs_src_path=str(REPOSITORY / path))


def _list_paths(files: Files) -> Iterator[str]:
    """Yield the pages, as paths in the repository."""
    return (_find_path(file.src_uri) for file in files.documentation_pages())


def _list_links(path: str) -> Iterator[str]:
    """Yield the files and folders to which a page links, as paths in the repository."""
    text = (REPOSITORY / path).read_text("utf-8")
    return (_resolve(path, match.group()) for match in LINK.finditer(text))


def _resolve(path: str, link: str) -> str:
    """Return the path of the file that a page's link names. For a folder, it is its README.md."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return f"{target}/README.md" if (REPOSITORY / target).is_dir() else target


def _find_uri(path: str) -> str:
    """Return the path that a file of the repository has on the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PAGES.get(path, f"repository/{path}")


def _find_path(uri: str) -> str:
    """Return the path that a file of the site has in the repository."""
    return {known: path for path, known in PAGES.items()}.get(uri, f"docs/{uri}")
