"""Files that commands write: a path that cannot be written, and a file that is replaced."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ragline.command_line.output_files import OutputFile, find_fault, write_output
from ragline.commands import ragline
from ragline.errors import FileNotWrittenError

# The options of all commands that name a file to write.
OPTIONS = {
    ("card", "markdown"), ("export", "out"), ("gate", "junit"), ("gate", "markdown"),
    ("tune", "output"),
}  # fmt: skip


def test_every_option_that_names_an_output_file_has_the_type() -> None:
    context = click.Context(ragline)
    commands = {name: ragline.get_command(context, name) for name in ragline.list_commands(context)}
    found = {
        (name, parameter.name)
        for name, command in commands.items()
        if command is not None
        for parameter in command.params
        if isinstance(parameter.type, OutputFile)
    }
    assert found == OPTIONS
    unchecked = [
        (name, parameter.name)
        for name, command in commands.items()
        if command is not None
        for parameter in command.params
        if "FILE" in (getattr(parameter, "help", None) or "")
        and not isinstance(parameter.type, OutputFile)
    ]
    assert unchecked == []


def test_path_that_cannot_be_written_is_a_fault_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old", "utf-8")
    missing = tmp_path / "missing"
    for path, said in (
        (missing / "gate.xml", f"there is no folder {missing}; create it"),
        (tmp_path / "file" / "gate.xml", "there is no folder"),
        (Path("/sys/kernel/gate.xml"), " in the folder /sys/kernel; name another file"),
        (tmp_path / ("long" * 100), "File name too long in the folder"),
    ):
        assert said in (find_fault(path) or ""), path
    assert find_fault(tmp_path / "gate.xml") is None
    assert find_fault(tmp_path / "file") is None
    assert find_fault(Path("/dev/stdout")) is None
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.getuid() == 0, reason="root can write every file")
def test_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "gate.xml").touch(0o444)
    assert find_fault(tmp_path / "gate.xml") == "it exists and is read-only; name another file"


def test_command_is_refused_before_its_work(tmp_path: Path) -> None:
    begun = []

    @click.command()
    @click.option("--markdown", type=OutputFile())
    def report(markdown: Path | None) -> None:
        begun.append(markdown)

    refused = CliRunner().invoke(report, ["--markdown", str(tmp_path / "missing" / "gate.md")])
    assert (refused.exit_code, begun) == (2, [])
    assert "Invalid value for '--markdown': cannot write" in refused.stderr
    assert CliRunner().invoke(report, ["--markdown", str(tmp_path / "gate.md")]).exit_code == 0
    assert begun == [tmp_path / "gate.md"]


def test_file_is_replaced_in_one_step_with_its_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = tmp_path / "gate.md", tmp_path / "link.md"
    path.write_text("old", "utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    write_output(link, "new")
    assert (path.read_text("utf-8"), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert link.is_symlink()
    monkeypatch.setattr(os, "fsync", fail_to_write)
    with pytest.raises(FileNotWrittenError, match=r"gate\.md could not be written: "):
        write_output(path, "newer")
    assert path.read_text("utf-8") == "new"
    assert {one.name for one in tmp_path.iterdir()} == {"gate.md", "link.md"}


def fail_to_write(_: int) -> None:
    raise OSError(28, "No space left on device")
