"""The process of Isaac Sim: started, spoken to with deadlines, killed, started again."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from syngrasp.errors import IsaacSimFailed
from syngrasp.rendering.isaacsim import protocol

Header = dict[str, Any]
Arrays = dict[str, np.ndarray]
Out = TypeVar("Out")

# What would lead another Python astray. Isaac Sim counts GPUs as the driver does, without CUDA's mask.
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_VISIBLE_DEVICES")
TAIL = 2000  # bytes of the log that an error quotes


class WorkerFault(Exception):
    """The process is of no use any more: it is silent, gone, or answers what was not asked."""

    def __init__(self, problem: str, log: str = "") -> None:
        super().__init__(problem)
        self.log = log  # the end of what the process printed


class JobFailed(Exception):
    """A job that processes failed at, each of which had started well: the fault is the job's."""


@dataclass(frozen=True, slots=True)
class Life:
    """How long a process may take and live."""

    start: float  # [s] from its start to its readiness
    recycle: int  # jobs after which it is replaced
    restarts: int  # of a job that failed


class WorkerProcess:
    """One process of Isaac Sim's Python and a pipe each way. A session of its own: it ends with all its children."""

    def __init__(self, command: Sequence[str], launch: Mapping[str, Any], scratch: Path, start: float) -> None:
        """Starts the process and waits until Isaac Sim is ready, at most `start` seconds. Raises `WorkerFault`."""
        self.version = ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `kill`)
        its_read, self._write = os.pipe()
        self._read, its_write = os.pipe()
        os.set_blocking(self._write, False)
        env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        env[protocol.PIPES] = f"{its_read},{its_write}"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, env=env,
                pass_fds=(its_read, its_write), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self.kill()
            raise WorkerFault(f"{command[0]} cannot be run: {error.strerror}") from None
        finally:
            os.close(its_read)
            os.close(its_write)
        until = time.monotonic() + start
        try:
            spoken = self.receive(until, "hello")[0].get("protocol")
            if spoken != protocol.VERSION:
                raise self.fault(f"the worker speaks protocol {spoken}; valid: {protocol.VERSION}")
            self.send("start", until, launch=dict(launch), scratch=str(scratch))
            self.version = str(self.receive(until, "ready")[0].get("version"))
        except BaseException:
            self.kill()
            raise

    def send(self, kind: str, until: float, **fields: object) -> None:
        """Sends a message, by the time `until` of the monotonic clock. Raises `WorkerFault`."""
        for piece in protocol.pack(kind, fields, {}):
            view = memoryview(piece)
            while view:
                self._wait(self._write, select.POLLOUT, until)
                try:
                    view = view[os.write(self._write, view) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self.fault(self._ending()) from None

    def receive(self, until: float, *kinds: str) -> tuple[Header, Arrays]:
        """The next message, which must be of one of `kinds`, by the time `until` of the monotonic clock.

        Raises `WorkerFault`.
        """
        try:
            message = protocol.unpack(lambda count: self._take(count, until))
        except protocol.ProtocolError as error:
            raise self.fault(f"it does not speak our protocol: {error}") from None
        if message is None:
            raise self.fault(self._ending())
        header, arrays = message
        if header["kind"] == "error":
            raise self.fault(str(header.get("message")))
        if header["kind"] not in kinds:
            raise self.fault(f"it answered {header['kind']!r}; valid: {', '.join(kinds)}")
        return header, arrays

    def fault(self, problem: str) -> WorkerFault:
        """A fault of this process, with the end of what it printed."""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, end - TAIL))
        return WorkerFault(problem, self._log.read().decode(errors="replace"))

    def end(self, patience: float = 10.0) -> None:
        """Tells the process to end, and sees to it."""
        with suppress(WorkerFault):
            self.send("bye", time.monotonic() + 1.0)
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """Ends the process and its children at once, and frees pipes and log. Again: nothing."""
        if self._log.closed:
            return
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._read)
        os.close(self._write)
        self._log.close()

    def _take(self, count: int, until: float) -> bytes:
        """`count` bytes, or fewer where the other end is closed."""
        taken = bytearray()
        while len(taken) < count:
            self._wait(self._read, select.POLLIN, until)
            piece = os.read(self._read, min(count - len(taken), 1 << 20))
            if not piece:
                break
            taken += piece
        return bytes(taken)

    def _wait(self, pipe: int, event: int, until: float) -> None:
        poll, left = select.poll(), until - time.monotonic()
        poll.register(pipe, event)
        if left <= 0.0 or not poll.poll(1000.0 * left):
            raise self.fault("it is silent past its deadline")

    def _ending(self) -> str:
        """How the process ended, whose pipe is closed."""
        assert self._process is not None
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        return f"it ended with signal {-code}" if code < 0 else f"it ended with exit code {code}"


class Worker:
    """A process that is there when needed: started with the first job, replaced after so many, and after faults."""

    def __init__(self, command: Sequence[str], launch: Mapping[str, Any], scratch: Path, life: Life) -> None:
        """`scratch` is a folder that the process removes when this one is killed."""
        self._command, self._launch, self._scratch, self._life = tuple(command), dict(launch), scratch, life
        self._process: WorkerProcess | None = None
        self._left = 0  # jobs until the process is replaced
        self.starts = 0
        self.version = ""  # of Isaac Sim, once it ran

    def run(self, job: Callable[[WorkerProcess], Out]) -> Out:
        """What `job` makes of a process. After a `WorkerFault` it is tried again with a new one.

        Raises `JobFailed`, or `IsaacSimFailed` where the last process did not even start.
        """
        attempts, problem, log, started = self._life.restarts + 1, "", "", False
        for _ in range(attempts):
            started = False
            try:
                process = self._ready()
                started = True
                out = job(process)
            except WorkerFault as fault:
                problem, log = str(fault), fault.log
                self._drop()
            except BaseException:
                self._drop()  # what it was doing is not known
                raise
            else:
                self._left -= 1
                return out
        failed = IsaacSimFailed(problem, attempts, log)
        if started:
            raise JobFailed(str(failed))
        raise failed

    def close(self) -> None:
        """Ends the process. A later job starts another."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _ready(self) -> WorkerProcess:
        if self._process is not None and self._left <= 0:
            self.close()
        if self._process is None:
            self._process = WorkerProcess(self._command, self._launch, self._scratch, self._life.start)
            self._left = self._life.recycle
            self.starts += 1
            self.version = self._process.version
        return self._process

    def _drop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
