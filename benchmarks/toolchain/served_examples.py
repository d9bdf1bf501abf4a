"""The servers of examples/, started: are the labels that they answer with those of the engine opened here?

    pip install -c constraints/cpu.txt '.[cpu]' litserve 'ray[serve]'
    python -m benchmarks.toolchain.served_examples                  both (a minute)
    python -m benchmarks.toolchain.served_examples --server litserve

Pictures of several sizes are sent by several clients at once, so that batches are joined.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.arguments import parse_parts
from benchmarks.recording import ROOT
from benchmarks.toolchain.fleet import make_engine
from segpp_deploy.config import Size
from segpp_deploy.data.images import read_image, write_image
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.evaluation.predictor import Predictor

EXAMPLES = ROOT / "examples"
SIZES = (Size(64, 96), Size(80, 120))
PICTURES, CLIENTS = 40, 8
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Example:
    """A server.

    Args:
        command: starts it, with {engine} in place of the engine file.
        url: at which it answers.
        ask: sends the bytes of a picture there and returns those of a label map.
    """

    command: Sequence[str]
    url: str
    ask: Callable[[str, bytes], bytes]


def ask_litserve(url: str, picture: bytes) -> bytes:
    """Send and take JSON."""
    content = json.dumps({"image": base64.b64encode(picture).decode()}).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
        return base64.b64decode(json.loads(answer.read())["labels"])


def ask_ray_serve(url: str, picture: bytes) -> bytes:
    """Send and take the files themselves."""
    with urllib.request.urlopen(urllib.request.Request(url, picture), timeout=_PATIENCE_S) as answer:
        return bytes(answer.read())


SERVERS = {
    "litserve": Example(
        (sys.executable, "litserve_server.py", "{engine}", "8765"), "http://127.0.0.1:8765/predict", ask_litserve
    ),
    "ray_serve": Example(
        (str(Path(sys.executable).with_name("serve")), "run", "ray_serve_server:app", "engine={engine}"),
        "http://127.0.0.1:8000/",
        ask_ray_serve,
    ),
}


def main() -> int:
    """Start, ask, compare, print; 1 if an answer is another."""
    arguments = parse_parts(__doc__, server=SERVERS)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        engine = make_engine(Path(name))
        pictures = [Path(name) / f"{number}.png" for number in range(PICTURES)]
        for number, path in enumerate(pictures):
            write_image(path, generate_scene(number, SIZES[number % len(SIZES)]).image)
        with Predictor.open(engine) as predictor:
            expected = [found.labels for found in predictor.predict([read_image(path) for path in pictures])]
        for server in arguments.server:
            equal = count_equal(SERVERS[server], engine, pictures, expected)
            print(f"{server}: {equal} of {PICTURES} label maps are the engine's")
            wrong += PICTURES - equal
    return int(wrong > 0)


def count_equal(server: Example, engine: Path, pictures: Sequence[Path], expected: Sequence[LabelMap]) -> int:
    """Return how many pictures a server gives the expected labels for."""

    def ask(path: Path) -> LabelMap:
        answer = server.ask(server.url, path.read_bytes())
        return np.asarray(cv2.imdecode(np.frombuffer(answer, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)

    with serving(server, engine, pictures[0].read_bytes()), ThreadPoolExecutor(CLIENTS) as clients:
        found = list(clients.map(ask, pictures))
    return sum(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@contextlib.contextmanager
def serving(server: Example, engine: Path, picture: bytes) -> Iterator[None]:
    """Run a server, from its first answer on.

    Raises:
        RuntimeError: it does not answer.
    """
    command = [word.format(engine=engine) for word in server.command]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    variables = {**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=EXAMPLES, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            end = time.monotonic() + _PATIENCE_S
            while True:
                try:
                    server.ask(server.url, picture)
                    break
                except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                    if process.poll() is not None or time.monotonic() > end:
                        log.seek(0)
                        raise RuntimeError(f"{command} does not answer: {error}\n{log.read()[-4000:]}") from error
                time.sleep(0.5)
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)
            with contextlib.suppress(ProcessLookupError):  # workers may outlive who started them
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
