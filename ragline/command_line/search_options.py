"""The options that `search`, `explain` and `eval` share."""

from __future__ import annotations

import json
from typing import Any

import click

from ragline.errors import InvalidFilterError
from ragline.search.filters import compile_filter
from ragline.search.messages import MODES

EXAMPLE = '\'{"source": "handbook"}\''

# Names of other tools for these options. Only names with a different spelling are listed.
OTHER_NAMES = {
    **dict.fromkeys(("--limit", "--top", "--k", "--n", "--count", "--size", "-k", "-n"), "--top-k"),
    **dict.fromkeys(("--where", "--only"), "--filter"),
    **dict.fromkeys(("--user", "--group", "--as"), "--principal"),
    **dict.fromkeys(("--threshold", "--min-score", "--confidence"), "--min-confidence"),
}


class SearchCommand(click.Command):
    """A command with search options. For an option in OTHER_NAMES, it suggests the right name."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        try:
            return super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            meant = OTHER_NAMES.get(error.option_name, "")
            if not any(meant in parameter.opts for parameter in self.params):
                raise
            raise click.UsageError(f"{error.message} Did you mean {meant!r}?", context) from error


def read_filter(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> dict[str, Any] | None:
    """Return the filter that the option gives as JSON; None without the option."""
    if value is None:
        return None
    try:
        read = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"the filter is not JSON: {error}; write {EXAMPLE}") from error
    if not isinstance(read, dict):
        raise click.BadParameter(f"the filter must be a JSON object, such as {EXAMPLE}")
    try:
        compile_filter(read)
    except InvalidFilterError as error:
        raise click.BadParameter(str(error)) from error
    return read


filter_option = click.option(
    "--filter",
    "filter_",
    metavar="JSON",
    callback=read_filter,
    help=f"Condition on the chunks to search (docs/filters.md), such as {EXAMPLE}.",
)

top_k_option = click.option(
    "--top-k",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Maximum number of hits.",
)
mode_option = click.option(
    "--mode",
    default="hybrid",
    show_default=True,
    type=click.Choice(MODES),
    help="How candidates are found: by vectors, by keywords, or by both (hybrid).",
)
rerank_option = click.option(
    "--rerank", is_flag=True, help="Rerank the first candidates with the collection's reranker."
)
min_confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Leave out hits with a lower confidence (docs/confidence.md). Default: "
    "search.min_confidence of the collection.",
)
principal_option = click.option(
    "--principal",
    "principals",
    multiple=True,
    help="Principal of the caller. Repeat the option for several. The search finds a document with "
    "principals only if the option names one of them.",
)
