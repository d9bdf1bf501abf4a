"""Fixtures that several test packages share."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import camvid_data
from tests.support.requirements import require_marked, required_names, skip_or_fail

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore Ctrl-C, and every process they start as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: one's threads of PyTorch would wait for each other while another's have them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests start processes by the hundred: each would compile the package, which is a tenth of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tracing a model makes millions of objects, and nearly all of them live to its end: the collector, which looks after
# every 700, finds nothing and takes time: 6 to 9 % of an export.
gc.set_threshold(50_000, 20, 50)


def pytest_configure() -> None:
    """Refuse an unknown name in SEGPP_REQUIRE."""
    required_names()


def pytest_collection_finish() -> None:
    """Leave what the tests' modules hold to nobody's collector: looking through it takes a second each time."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Heed the decorator `needs`."""
    require_marked(item)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def kept_traces(shared_folder: Path) -> Iterator[None]:
    """Exports trace what this run has not traced yet. Nothing is done where nobody imported what exports."""
    with pytest.MonkeyPatch.context() as patch:
        if "segpp_deploy.graph.exporting.export" in sys.modules:
            from tests.support.traces import keep_operators, keep_traces

            keep_operators(patch)
            keep_traces(patch, shared_folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_rest() -> Iterator[None]:
    """What is timed in this process is compared with nothing: it need not come to rest after each call."""
    latency = sys.modules.get("segpp_deploy.evaluation.latency")
    with pytest.MonkeyPatch.context() as patch:
        if latency is not None:
            patch.setattr(latency, "come_to_rest", lambda: None)
        yield


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """The CamVid frames; without them a test skips, or fails where they are required."""
    if missing := camvid_data.explain_missing_frames():
        skip_or_fail("camvid", missing)
    return camvid_data.FRAMES


@pytest.fixture(scope="session")
def camvid_weights() -> Path:
    """The B0 weights trained on CamVid; without them a test skips, or fails where they are required."""
    if missing := camvid_data.explain_missing_weights():
        skip_or_fail("camvid", missing)
    return camvid_data.WEIGHTS
