"""A real Triton server on a package; benchmarks/toolchain/served_models.py makes its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.toolchain import triton_server
from benchmarks.toolchain.served_models import Load, ask, write_pictures
from segpp_deploy.runtimes.names import TargetName
from tests.packaging.triton.conftest import BuildStub, dynamic
from tests.support.requirements import skip_or_fail
from tests.support.tiny_graphs import SIZE, tiny_metadata


@pytest.mark.slow
def test_answers_are_those_of_our_session(build_stub: BuildStub, tmp_path: Path) -> None:
    made = triton_server.environment()
    if not made.is_ready:
        skip_or_fail("triton_server", f"no server was made in {made.folder}.")
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
