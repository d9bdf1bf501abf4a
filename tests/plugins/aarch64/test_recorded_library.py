"""The record of the library for JetPack 6: made by CUDA 12, and what docs/jetson.md says of it."""

from __future__ import annotations

import json

from benchmarks.recording import RESULTS, ROOT

RECORD = json.loads((RESULTS / "jetpack6_library.json").read_text())


def test_cuda_12_made_it_for_orin() -> None:
    made_with = RECORD["made_with"]
    major, minor, _ = made_with["cuda_version"].split(".")
    assert (major, made_with["machine"], made_with["architectures"]) == ("12", "aarch64", ["87"])
    assert f"CUDA {major}.{minor}" in (ROOT / "docs/jetson.md").read_text()


def test_nothing_is_wrong_with_it() -> None:
    assert RECORD["library"]["faults"] == []
    assert RECORD["library"]["machine_code"] == RECORD["library"]["ptx"] == ["87"]
    assert RECORD["rows"]
    assert [row["kernel"] for row in RECORD["rows"] if not row["passed"] or row["stack_bytes"]] == []
