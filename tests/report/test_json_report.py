from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Arch
from segpp_deploy.report.json_report import to_json


def test_plain_values_of_every_kind() -> None:
    value = {
        "path": Path("a/b"),
        "arch": Arch.B0,
        "nan": float("nan"),
        "inf": float("-inf"),
        "numpy": np.float32(0.5),
        "array": np.arange(2),
        "nested": [(1, None), {"flag": True}],
    }
    assert json.loads(to_json(value)) == {
        "path": "a/b",
        "arch": "b0",
        "nan": None,
        "inf": None,
        "numpy": 0.5,
        "array": [0, 1],
        "nested": [[1, None], {"flag": True}],
    }


def test_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json({"x": object()})
