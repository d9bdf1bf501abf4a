"""A real Triton server where there is no Docker and no GPU: the one in the wheel of nvidia-pytriton.

It has the Python backend alone. So a package's models are served by their twins: the same configurations but for the
backend's name, and a Python file that runs the same ONNX. What the server itself does (names, types, shapes, joining
requests, warm-up, HTTP, gRPC, shared memory) is then what it does with any backend.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.files import cache_folder

PYTRITON = "nvidia-pytriton==0.7.0"
PACKAGES = (PYTRITON, "numpy<2", "onnxruntime", "opencv-python-headless", "tritonclient[grpc,http]")
_BACKEND = Path(__file__).with_name("python_backend.py")
_START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Environment:
    """A Python environment with the server in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return self.folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

    @property
    def server(self) -> Path:
        """The folder of the server."""
        return self.site_packages / "pytriton/tritonserver"

    @property
    def is_ready(self) -> bool:
        """Whether it was made to its end."""
        return self._mark.exists()

    def make(self) -> None:
        """Make it; pip fills it from the package indexes it is configured with."""
        if self.is_ready:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", self.folder], check=True)
        subprocess.run([self.python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        # pytriton's own starter does this for each server; the server alone looks here.
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stub = Path("python_backend_stubs") / version / "triton_python_backend_stub"
        shutil.copy(self.server / stub, self.server / "backends/python")
        self._mark.write_text(f"{PYTRITON}\n", encoding="utf-8")

    @property
    def _mark(self) -> Path:
        return self.folder / "ready"


def environment() -> Environment:
    """Return the environment below the cache folder, made or not."""
    return Environment(cache_folder() / "triton-server")


@dataclass(frozen=True)
class Server:
    """A server that is ready.

    Args:
        http: HOST:PORT.
        grpc: HOST:PORT.
    """

    http: str
    grpc: str

    def url(self, protocol: str) -> str:
        """Return the address that a protocol is spoken at."""
        return {"http": self.http, "grpc": self.grpc}[protocol]

    def statistics(self, model: str) -> dict[str, Any]:
        """Return what the server counted of a model."""
        with urllib.request.urlopen(f"http://{self.http}/v2/models/{model}/stats") as answer:
            (found,) = json.load(answer)["model_stats"]
        return dict(found)


def write_twins(repository: Path, folder: Path, made: Environment) -> Path:
    """Copy a model repository to `folder`, its ONNX models run by Python; return the copy."""
    shutil.copytree(repository, folder)
    for config in folder.glob("*/config.pbtxt"):
        text = config.read_text(encoding="utf-8")
        twin = text.replace('backend: "onnxruntime"', 'backend: "python"').replace('"model.onnx"', '"model.py"')
        assert twin.count("python") == 1, f"{config} is of another backend"
        config.write_text(twin, encoding="utf-8")
        shutil.copy(_BACKEND, config.parent / "1/model.py")
        (config.parent / "1/site_packages").write_text(str(made.site_packages), encoding="utf-8")
    return folder


@contextlib.contextmanager
def serving(repository: Path, made: Environment, log: Path, *options: str) -> Iterator[Server]:
    """Serve a repository of twins on free ports of this machine.

    Args:
        repository: what `write_twins` returned.
        made: the environment.
        log: the file of what the server says.
        options: more of the server's.

    Raises:
        RuntimeError: the server ended, or was not ready in time; the message holds the end of its log.
    """
    http, grpc = _free_ports(2)
    command = [
        *(made.server / "bin/tritonserver", "--model-repository", repository),
        *("--backend-directory", made.server / "backends", "--disable-auto-complete-config"),
        *("--http-address", "127.0.0.1", "--http-port", http, "--grpc-address", "127.0.0.1", "--grpc-port", grpc),
        *("--allow-metrics", "false", *options),
    ]
    libraries = os.pathsep.join(map(str, (made.server / "external_libs", made.server / "lib")))
    variables = {**os.environ, "LD_LIBRARY_PATH": libraries, "PATH": f"{made.folder / 'bin'}:{os.environ['PATH']}"}
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(list(map(str, command)), stdout=stream, stderr=stream, env=variables)
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{http}/v2/health/ready", log)
            yield Server(f"127.0.0.1:{http}", f"127.0.0.1:{grpc}")
        finally:
            process.terminate()
            try:
                process.wait(_START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"The server is not ready: {log.read_text(encoding='utf-8', errors='replace')[-4000:]}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
