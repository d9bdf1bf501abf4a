"""The benchmark of other tools: who is measured, what is no time, and what the tables show."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.measure import peers
from benchmarks.peers.arithmetic import gflop
from benchmarks.peers.pixels import finish, prepare
from benchmarks.peers.runners import StepTimes
from benchmarks.peers.tomesd_attention import merge_attention
from benchmarks.peers.tomesd_matching import Change
from benchmarks.peers.transformers_model import Transformers, published_form
from benchmarks.peers.variants import BASELINE, OURS, VARIANTS, Case, Maker, Variant
from segpp_deploy.config import Arch, Precision, Preset, Size
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge import token_merge
from segpp_deploy.ops.token_unmerge import token_unmerge
from segpp_deploy.runtimes.profiling import OperationGroup
from tests.support.requirements import require

SIZE = Size(1024, 1024)
FAST = Variant(Maker.OURS_ONNXRUNTIME, Precision.FP32, Preset.FAST)
EAGER = Variant(Maker.EAGER, Precision.FP32, Preset.ORIGINAL)
FACTS = {"classes": 19, "least_agreement": {"fp32": 0.99, "int8": 0.9}, "calibration_images": 8}


def case(variant: Variant) -> Case:
    return Case(Arch.B0, SIZE, variant)


class FakeWorker:
    """Finds the labels it is told to and takes two milliseconds, or four as the baseline."""

    agreement: dict[Variant, float | Exception]

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.is_closed = False

    def load(self) -> float:
        found = self.agreement.get(self.case.variant, 1.0)
        if isinstance(found, Exception):
            raise found
        return found

    def run(self) -> StepTimes:
        assert not self.is_closed
        return StepTimes(0.5, 3.0 if self.case.variant == BASELINE else 1.0, 0.5)

    def peak_bytes(self) -> int:
        return 1 << 30

    def profile(self) -> dict[OperationGroup, float]:
        return dict.fromkeys(OperationGroup, 0.25)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[Variant, float | Exception]:
    """What fake workers find, by variant; all labels are right where nothing is said."""
    FakeWorker.agreement = {}
    monkeypatch.setattr(peers, "Worker", FakeWorker)
    monkeypatch.setattr(peers, "make_files", lambda *_: None)
    monkeypatch.setattr(peers, "measure_peaks", lambda _: {Precision.FP32: 100.0})
    monkeypatch.setattr(peers, "gflop", lambda _: 0.05)
    return FakeWorker.agreement


def rows_of(variants: list[Variant]) -> list[dict[str, Any]]:
    return [row for group in peers.measure(list(map(case, variants)), iterations=3) for row in group]


def test_ours_run_in_every_mode() -> None:
    assert len(set(VARIANTS)) == len(VARIANTS)
    for maker in OURS:
        assert {variant.mode for variant in VARIANTS if variant.maker is maker} == set(Preset)


def test_times_and_ratios(found: dict[Variant, float | Exception]) -> None:
    baseline, ours = rows_of([BASELINE, FAST])
    assert (baseline["median_ms"], baseline["speedup"], baseline["model_ms"]) == (4.0, 1.0, 3.0)
    assert (ours["median_ms"], ours["speedup"], ours["passed"]) == (2.0, 2.0, True)
    assert ours["groups_ms"][str(OperationGroup.PRODUCTS)] == 0.25


def test_baseline_takes_part_unasked(found: dict[Variant, float | Exception]) -> None:
    (row,) = rows_of([EAGER])
    assert (row["maker"], row["speedup"]) == ("eager", 2.0)


@pytest.mark.parametrize("failure", [0.98, SegppError("Too large."), RuntimeError("Too large.")])
def test_what_is_wrong_or_fails_has_no_time(
    found: dict[Variant, float | Exception], failure: float | Exception
) -> None:
    found |= {FAST: failure, EAGER: failure}
    eager, ours = rows_of([EAGER, FAST])
    for row in (eager, ours):
        assert "median_ms" not in row
        assert row["error"] in ("98.0% of the labels are the reference's", f"{type(failure).__name__}: Too large.")
    assert ours["passed"] is False
    assert "passed" not in eager


def test_as_many_at_once_as_memory_holds(
    found: dict[Variant, float | Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "MEMORY_SHARE", 0.0)
    groups = list(peers.measure([case(BASELINE), case(EAGER), case(FAST)], iterations=1))
    assert [[row["maker"] for row in group] for group in groups] == [
        ["export-ort"],
        ["export-ort", "eager"],
        ["export-ort", "ours-ort"],
    ]


def test_group_ends_its_workers(found: dict[Variant, float | Exception], tmp_path: Path) -> None:
    with ExitStack() as stack:
        group = peers.Group(stack, tmp_path)
        group.add(case(FAST))
    assert group.workers[FAST].is_closed  # type: ignore[attr-defined]


def test_tables(found: dict[Variant, float | Exception]) -> None:
    found[EAGER] = 0.5
    found[Variant(Maker.COMPILED, Precision.FP32, Preset.ORIGINAL)] = RuntimeError("no compiler")
    rows = rows_of([BASELINE, EAGER, Variant(Maker.COMPILED, Precision.FP32, Preset.ORIGINAL), FAST])
    everything, steps, groups = peers.SECTION.tables(rows)
    assert everything.rows == (
        ("`torch.onnx.export`, ONNX Runtime", "original", "fp32", "4", "1.00"),
        ("transformers", "original", "fp32", "no time", "other labels"),
        ("transformers, `torch.compile`", "original", "fp32", "no time", "failed"),
        ("segpp-deploy, `cpu`", "fast", "fp32", "2", "2.00"),
    )
    assert [row[3:] for row in steps.rows] == [
        ("0.5", "3.0", "0.5", "0.1", "17", "17%", "100.00%"),
        ("in the graph", "2.0", "in the graph", "0.1", "50", "50%", "100.00%"),
    ]
    assert [row[1:] for row in groups.rows] == [("fast", "fp32", *["0.2"] * len(OperationGroup), "200", "200%")]
    assert "at least 99% of them, in int8 90%" in peers.SECTION.text.format(**FACTS)


def test_arithmetic_of_the_folded_model_is_less() -> None:
    plain, ours = (
        gflop(Case(Arch.B0, Size(64, 64), Variant(maker, Precision.FP32, Preset.ORIGINAL)))
        for maker in (Maker.EAGER, Maker.OURS_ONNXRUNTIME)
    )
    assert 0.3 < ours / plain < 0.8


def test_labels_are_compared_at_the_picture_s_size() -> None:
    picture = generate_scene(0, Size(64, 96)).image
    image = prepare(picture)
    assert image.shape == (1, 3, 64, 96)
    assert abs(float(image[0, 0, 0, 0]) - (float(picture[0, 0, 0]) - 123.675) / 58.395) < 1e-5
    logits = torch.zeros(1, 3, 16, 24)
    logits[0, 2, :, 12:] = 1
    labels = finish(logits, Size(64, 96))
    assert labels.shape == (64, 96)
    assert labels[0, 0] == 0
    assert labels[0, 95] == 2


def matching_of_tomesd(
    tokens: torch.Tensor, width: int, height: int, sx: int, sy: int, removed: int, no_rand: bool
) -> tuple[Change, Change]:
    """What tomesd's function of that signature does, by our ops."""
    assert no_rand
    rows: torch.Tensor = token_match(tokens, height, width, sy, sx, removed)
    zeros = torch.zeros_like(tokens)
    return (
        lambda some: token_merge(some, rows, tokens.shape[1] - removed),
        lambda merged: token_unmerge(merged, rows, zeros),
    )


def test_tomesd_merges_as_fast_does(monkeypatch: pytest.MonkeyPatch) -> None:
    require("transformers")
    merge = SimpleNamespace(bipartite_soft_matching_random2d=matching_of_tomesd)
    monkeypatch.setitem(sys.modules, "tomesd", SimpleNamespace(merge=merge))
    monkeypatch.setitem(sys.modules, "tomesd.merge", merge)
    model = published_form(Arch.B0)
    image = prepare(generate_scene(0, Size(256, 256)).image)
    with torch.inference_mode():
        theirs = finish(merge_attention(Transformers(model))(image), Size(256, 256))
        original = finish(model(image), Size(256, 256))
        model.plan = PRESETS[Preset.FAST]
        ours = finish(model(image), Size(256, 256))
    assert (theirs == ours).mean() > 0.999
    assert (theirs == original).mean() < (theirs == ours).mean()
