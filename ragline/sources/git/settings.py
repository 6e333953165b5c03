"""The settings of a source of kind `git`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ragline.sources.files.ignored_files import IgnoredNames
from ragline.sources.files.paths import EVERYTHING
from ragline.sources.settings import LocatedSettings, masked_error

BRANCH_PATTERN = r"[^\s:?*\[\\^~-][^\s:?*\[\\^~]*"
SSH_ADDRESS = r"[\w.-]+@[\w.-]+:[^:].*"


class GitSettings(LocatedSettings):
    """The settings of a source whose documents are the files on a branch of a repository.

    `include` and `exclude` are patterns of `PathPatterns`. For an https URL, `credentials` has the
    `username` and the `password` (or a token). For an ssh URL, git uses the ssh keys of the user
    that runs the sync.
    """

    kind: Literal["git"]
    branch: str | None = Field(
        default=None,
        description="Branch that Ragline reads. By default, this is the branch of the repository's "
        "HEAD.",
    )
    include: tuple[str, ...] = Field(
        default=EVERYTHING,
        description="Patterns in the syntax of `.gitignore`. A file must match one of them.",
    )
    exclude: tuple[str, ...] = Field(
        default=(),
        description="Patterns in the syntax of `.gitignore`. A file that matches one of them is "
        "left out.",
    )
    ignore_files: IgnoredNames = Field(
        default=True,
        description="With `true`, Ragline leaves out the files that programs create for "
        "themselves. With `false`, it reads them. A list of name patterns replaces the built-in "
        "list of such files.",
    )

    @field_validator("uri")
    @classmethod
    def _resolve(cls, uri: str, info: ValidationInfo) -> str:
        """Make a path absolute. A relative path begins at the folder of the configuration.

        A URL and an ssh address (`user@host:path`) are unchanged. A password in a URL is refused.
        """
        if "://" in uri and urlsplit(uri).password is not None:
            raise masked_error("contains a password; name its environment variable in credentials")
        return uri if re.fullmatch(SSH_ADDRESS, uri) else super()._resolve(uri, info)

    @field_validator("branch")
    @classmethod
    def _check_branch(cls, branch: str | None) -> str | None:
        if branch is not None and not re.fullmatch(BRANCH_PATTERN, branch):
            raise ValueError("is not a branch name; write the name that `git branch` shows")
        return branch

    @model_validator(mode="after")
    def _check_credentials(self) -> GitSettings:
        for name in self.credentials:
            if name not in ("username", "password"):
                raise masked_error(f"credentials: unknown {name!r}; allowed: username, password")
        if self.credentials and not self.uri.startswith(("https://", "http://")):
            raise masked_error("credentials: only an https URL uses them; ssh uses its own keys")
        return self

    @property
    def local_path(self) -> Path | None:
        """The path of a local `uri`, or None for a URL and for an ssh address."""
        return None if re.fullmatch(SSH_ADDRESS, self.uri) else super().local_path

    @property
    def is_local(self) -> bool:
        """Whether the `uri` is a path on this machine."""
        return self.local_path is not None
