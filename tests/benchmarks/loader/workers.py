"""Readers in processes of their own, which take turns; see `worker`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import REPOSITORY

WRITE_TIME = 900.0  # [s]


class WorkerFailed(Exception):
    """A reader ended; the message is the last line it said."""


class Worker:
    """A reader that is open, and answers rounds; `libraries` has shared ones. Raises WorkerFailed where it ends."""

    def __init__(self, python: Path, reader: str, plain: Path, folder: Path, libraries: str = "") -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the worker)
        self._process = subprocess.Popen(
            _command(python, reader, plain, folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, text=True, bufsize=1, env=_environment(libraries), cwd=REPOSITORY,
        )  # fmt: skip
        try:
            self.opened = self._answer()
        except WorkerFailed:
            self.close()
            raise

    def round(self, seed: int, count: int) -> dict[str, Any]:
        """Figures of one round of so many frames, in an order drawn from the seed."""
        assert self._process.stdin is not None
        print(json.dumps({"seed": seed, "count": count}), file=self._process.stdin)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise WorkerFailed(_last_line(self._errors.read()))
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def write(python: Path, reader: str, plain: Path, folder: Path) -> None:
    """Has a peer write its own format. Raises WorkerFailed."""
    command = [*_command(python, reader, plain, folder), "write"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=WRITE_TIME, env=_environment(), cwd=REPOSITORY, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerFailed(f"it was not written within {WRITE_TIME:g} s") from error
    if done.returncode:
        raise WorkerFailed(_last_line(done.stderr))


def _command(python: Path, reader: str, plain: Path, folder: Path) -> list[str]:
    return [str(python), "-m", "tests.benchmarks.loader.worker", reader, str(plain), str(folder)]


def _environment(libraries: str = "") -> dict[str, str]:
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = {"LD_LIBRARY_PATH": libraries} if libraries else {}
    return os.environ | found | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it ended without a word"])[-1]
