"""A real Triton server on a package; benchmarks/toolchain/served_models.py makes its environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.toolchain.served_models import Load, ask, write_pictures
from benchmarks.toolchain.triton_server import Environment, environment, serving, write_twins
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.package.run import run_package
from tests.packaging.triton.conftest import BuildStub, dynamic
from tests.support.requirements import skip_or_fail
from tests.support.tiny_graphs import SIZE, tiny_metadata

WITH_ITS_PACKAGES = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a program here, with packages that only the server's environment has."""

pytestmark = pytest.mark.slow


@pytest.fixture
def made() -> Environment:
    """The server's environment."""
    found = environment()
    if not found.is_ready:
        skip_or_fail("triton_server", f"no server was made in {found.folder}.")
    return found


def test_answers_are_those_of_our_session(build_stub: BuildStub, made: Environment, tmp_path: Path) -> None:
    engines = [
        build_stub(TargetName.CPU, tiny_metadata(), "static.engine"),
        build_stub(TargetName.CPU, dynamic(), "dynamic.engine"),
    ]
    load = Load(write_pictures(tmp_path / "pictures", 3, SIZE), requests=64, clients=8)
    rows = list(ask(engines, load, tmp_path, made))
    assert [row for row in rows if not row["passed"]] == []
    assert len(rows) == 2 * 2 * 2
    runs = {name: sum(row["runs"] for row in rows if row["contract"] == name) for name in ("static", "dynamic")}
    assert runs["static"] == 4 * 64
    assert runs["dynamic"] < 4 * 64  # requests were joined


def test_a_model_is_warm_when_the_server_is_ready(build_stub: BuildStub, made: Environment, tmp_path: Path) -> None:
    engines = build_stub(TargetName.CPU, tiny_metadata(), "a.engine"), build_stub(TargetName.CPU, dynamic(), "b.engine")
    run_package(PackageOptions(engines, Stack.TRITON, tmp_path / "served"))
    twins = write_twins(tmp_path / "served/models", tmp_path / "twins", made)
    with serving(twins, made, tmp_path / "log", "--log-verbose=1"):
        log = (tmp_path / "log").read_text()
    assert all(log.count(f"'{name}' instance {name}_0_0 is running warmup sample 'zeros'") == 3 for name in "ab"), log


def test_the_client_compares_with_the_engine(build_stub: BuildStub, made: Environment, tmp_path: Path) -> None:
    engine = build_stub(TargetName.CPU, dynamic(), "a.engine")
    run_package(PackageOptions((engine,), Stack.TRITON, tmp_path / "served"))
    twins = write_twins(tmp_path / "served/models", tmp_path / "twins", made)
    pictures = write_pictures(tmp_path / "pictures", 3, SIZE)
    program = [sys.executable, "-c", WITH_ITS_PACKAGES, made.site_packages, tmp_path / "served/client.py"]
    with serving(twins, made, tmp_path / "log") as server:
        words = ["--url", server.http, "--engine", engine, "--batch", "2", "--out", tmp_path / "labels", *pictures]
        done = subprocess.run(list(map(str, [*program, *words])), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "100.0000 % of the values or more are the engine's" in done.stdout
    assert len(list((tmp_path / "labels").glob("*.png"))) == 3
