"""What `export` says of sizes where merging was measured not to pay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.measure.scaling import find_gains, fit_exponent
from segpp_deploy.config import Arch, Preset, Size
from segpp_deploy.workflows.export import measured_gains
from segpp_deploy.workflows.export.measured_gains import GAINS_FILE, explain_small_size


def row(mode: str, size: str, speedup: float | None, median_ms: float = 1.0) -> dict[str, object]:
    return {
        "arch": "b0",
        "target": "cpu",
        "mode": mode,
        "size": size,
        "batch": 1,
        "speedup": speedup,
        "median_ms": median_ms,
        "peak_bytes": 1,
    }


def test_a_mode_pays_from_the_first_size_at_which_it_is_faster() -> None:
    rows = [
        *(row("original", size, 1.0) for size in ("128x128", "256x256", "512x512")),
        *(row("hq", size, gain) for size, gain in (("128x128", 0.9), ("256x256", 1.01), ("512x512", 1.1))),
        *(row("fast", size, gain) for size, gain in (("128x128", 1.2), ("256x256", 1.3), ("512x512", None))),
    ]
    assert find_gains(rows) == [
        {"arch": "b0", "target": "cpu", "mode": "hq", "up_to": "256x256"},
        {"arch": "b0", "target": "cpu", "mode": "fast", "up_to": None},
    ]


def test_the_exponent_of_a_square_law() -> None:
    rows = [row("hq", f"{side}x{side}", 1.0, (side * side) ** 2.0) for side in (128, 512, 1024, 2048)]
    assert fit_exponent(rows, "median_ms") == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("mode", "size", "says"),
    [
        ("hq", Size(256, 256), True),
        ("hq", Size(128, 500), True),
        ("hq", Size(256, 257), False),
        ("fast", Size(64, 64), False),
        ("original", Size(64, 64), False),
        ("plan.yaml", Size(64, 64), False),
    ],
)
def test_export_says_it(mode: str, size: Size, says: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gains = [
        {"arch": "b0", "target": "cpu", "mode": "hq", "up_to": "256x256"},
        {"arch": "b0", "target": "cpu", "mode": "fast", "up_to": None},
    ]
    file = tmp_path / "gains.json"
    file.write_text(json.dumps({"machine": "A CPU, 2 cores", "measured": "today", "gains": gains}))
    monkeypatch.setattr(measured_gains, "GAINS_FILE", file)
    text = explain_small_size(Arch.B0, mode, size)
    assert bool(text) == says
    assert explain_small_size(Arch.B5, mode, size) == ""
    if says:
        assert "no faster than original on cpu (A CPU, 2 cores)" in text


def test_the_file_in_the_package_is_of_presets() -> None:
    document = json.loads(GAINS_FILE.read_text())
    assert {gain["mode"] for gain in document["gains"]} <= set(map(str, Preset))
