"""The installed TensorRT-RTX (TensorRT 11's ABI) loads the same library, from Python, and creates the plugins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.ops.declaration import DOMAIN, PLUGIN_VERSION
from segpp_deploy.ops.registry import DECLARATIONS
from tests.plugins.conformance.examples import make_example
from tests.support.requirements import needs

SCRIPT = Path(__file__).with_name("create_plugins.py")
OPS = pytest.mark.parametrize("op", list(DECLARATIONS))

pytestmark = needs("tensorrt_rtx")


def create(library: Path, *plugins: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return what became of each plugin, and what was printed meanwhile."""
    request = json.dumps({"library": str(library), "plugins": plugins})
    done = subprocess.run(
        [sys.executable, SCRIPT], input=request, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["loaded"]
    assert tuple(map(int, answer["version"].split(".")[:2])) >= (1, 7)  # the ABI of TensorRT 11
    return answer["created"], done.stdout + done.stderr


def plugin(op: str, fields: dict[str, int], namespace: str = DOMAIN) -> dict[str, Any]:
    return {"op": op, "version": PLUGIN_VERSION, "namespace": namespace, "fields": fields}


def test_every_op_in_both_namespaces(plugins_library: Path) -> None:
    plugins = [
        plugin(op, dict(make_example(op).attributes), namespace) for op in DECLARATIONS for namespace in ("", DOMAIN)
    ]
    created, _ = create(plugins_library, *plugins)
    for asked, answer in zip(plugins, created, strict=True):
        assert answer["plugin"]
        assert answer["creator"] == [asked["op"], PLUGIN_VERSION, asked["namespace"]]
        assert tuple(answer["names"]) == DECLARATIONS[asked["op"]].attributes


@OPS
def test_bad_fields_make_no_plugin(plugins_library: Path, op: str) -> None:
    good = dict(make_example(op).attributes)
    bad: list[dict[str, int]] = [{**good, "unknown": 1}]
    bad += [{**good, name: 0} for name in good]
    bad += [{other: good[other] for other in good if other != name} for name in good]
    created, printed = create(plugins_library, *(plugin(op, fields) for fields in bad))
    assert not any(answer["plugin"] for answer in created)
    assert printed.count(f"segpp::{op}: createPlugin: ") == len(bad)


def test_unknown_names_have_no_creator(plugins_library: Path) -> None:
    created, _ = create(plugins_library, plugin("TokenShuffle", {}), plugin("TokenMerge", {"num_rows": 2}, "other"))
    assert [answer["creator"] for answer in created] == [None, None]
