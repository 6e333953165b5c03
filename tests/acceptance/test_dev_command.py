"""`ragline dev`: both services answer, and nothing is left running afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family_of(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_dev_serves_until_it_is_stopped_and_leaves_nothing(tmp_path, database_url, stop):
    (tmp_path / "ragline.yaml").write_text("collections: [{name: notes}]\n", encoding="utf-8")
    ui, api = free_port(), free_port()
    command = [sys.executable, "-m", "ragline", "dev", "--ui-port", str(ui), "--api-port", str(api)]
    with (tmp_path / "log").open("w") as log:
        dev = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "RAGLINE_DATABASE_URL": database_url, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert dev.stdout is not None
        said = [dev.stdout.readline() for _ in range(2)]
        assert str(ui) in said[0], (tmp_path / "log").read_text()
        with urllib.request.urlopen(f"http://127.0.0.1:{ui}/server_info", timeout=30) as answer:
            assert "dagster_version" in json.load(answer)
        with urllib.request.urlopen(f"http://127.0.0.1:{api}/healthz", timeout=30) as answer:
            assert answer.status == 200
        family = family_of(dev.pid)
        assert len(family) > 4
        dev.send_signal(stop)
        dev.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []
    assert dev.returncode == 0
