"""A Ray cluster of this machine that a benchmark starts, looks at and ends, and whose workers it kills."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_STORE_BYTES = 256 << 20
_PATIENCE_S = 90.0
_PROC = Path("/proc")


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Args:
        address: HOST:PORT of its head.
        folder: its temporary files; raylets name it in their command lines.
        variables: the environment of its drivers, with the token that was made for it.
    """

    address: str
    folder: Path
    variables: Mapping[str, str]

    def workers(self) -> list[int]:
        """Return the process ids of Ray Data's workers, those of other clusters left out."""
        found = []
        for entry in _PROC.iterdir():
            if entry.name.isdecimal() and _is_worker(_command(entry)) and self._is_ours(entry):
                found.append(int(entry.name))
        return sorted(found)

    def kill_worker(self) -> int | None:
        """Kill one worker with SIGKILL and return its process id; None where there is none."""
        for worker in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                return worker
        return None

    def _is_ours(self, process: Path) -> bool:
        """Whether the raylet that started a process is one of this cluster."""
        try:
            status = (process / "status").read_text()
        except OSError:
            return False
        parent = next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:"))
        return str(self.folder) in _command(_PROC / parent)


@contextlib.contextmanager
def cluster(cpus: int) -> Iterator[Cluster]:
    """Run a cluster of one node that says it has so many CPUs.

    Raises:
        RuntimeError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), _free_port()
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}"]
        command += [f"--num-cpus={cpus}", f"--object-store-memory={_STORE_BYTES}", f"--temp-dir={folder}"]
        command += ["--include-dashboard=false", "--disable-usage-stats"]
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # for this cluster alone
        variables = {**os.environ, **token}
        with (folder / "start.log").open("w") as log:
            head = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            _await(port, head, folder / "start.log")
            yield Cluster(f"127.0.0.1:{port}", folder, variables)
        finally:
            head.terminate()
            head.wait(_PATIENCE_S)


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process; 0 where it has ended."""
    try:
        pages = int((_PROC / str(process) / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _is_worker(command: str) -> bool:
    return command.startswith("ray::") and "MapWorker" in command


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _await(port: int, head: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the head says that it runs."""
    end = time.monotonic() + _PATIENCE_S
    while "Ray runtime started" not in log.read_text():
        if head.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"no cluster at port {port}: {log.read_text()[-2000:]}")
        time.sleep(0.2)
