"""The self-test finds wrong kernels, passes right ones, and its inputs leave rounding no choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.selftest import model_checks
from segpp_deploy.workflows.selftest import run as selftest
from segpp_deploy.workflows.selftest.cases import CASES, MatchCase, MergeCase, OpCase, UnmergeCase, UpsampleCase
from segpp_deploy.workflows.selftest.op_checks import check_op
from segpp_deploy.workflows.selftest.result import CheckResult, SelftestResult
from segpp_deploy.workflows.selftest.run import SelftestOptions, run_selftest
from tests.support.requirements import skip_or_fail

SMALL = [case for case in CASES if not case.is_large]
CLEAR_MATCHES = [case for case in CASES if isinstance(case, MatchCase) and not case.tokens.ties]
LEAST_GAP = 1e-4  # in float64; rounding in float32 moves a similarity by far less

Array = NDArray[Any]


class TorchRunner:
    """The reference behind the interface of a runner; `spoil` changes what it returns."""

    def __init__(self, spoil: Callable[[Array], Array] = lambda output: output) -> None:
        self._spoil = spoil

    def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> tuple[Array, ...]:
        returned = getattr(torch.ops.segpp, op.stem)(*map(torch.from_numpy, inputs), *attributes.values())
        outputs = (returned,) if isinstance(returned, torch.Tensor) else returned
        *others, last = (output.numpy().copy() for output in outputs)
        return (*others, self._spoil(last))


class BrokenRunner:
    """A runner that cannot compute."""

    def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> Array:
        raise SegppError("The kernel gave up.")


def first_of(kind: type) -> OpCase:
    return next(case for case in SMALL if isinstance(case, kind))


def add_to_one(amount: float) -> Callable[[Array], Array]:
    """Change the middle value."""

    def spoil(output: Array) -> Array:
        output.reshape(-1)[output.size // 2] += np.asarray(amount).astype(output.dtype)
        return output

    return spoil


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.op.name}: {case}")
def test_the_reference_passes(case: OpCase, dtype: str) -> None:
    result = check_op(TorchRunner(), case, dtype)
    assert result.passed, result.finding


@pytest.mark.parametrize(
    ("kind", "amount", "dtype"),
    [
        (MatchCase, 1, "float32"),
        (MergeCase, 2e-5, "float32"),
        (MergeCase, 5e-3, "float16"),
        (UnmergeCase, 1e-6, "float32"),
        (UpsampleCase, 1, "float32"),
    ],
)
def test_one_wrong_value_fails(kind: type, amount: float, dtype: str) -> None:
    assert not check_op(TorchRunner(add_to_one(amount)), first_of(kind), dtype).passed


@pytest.mark.parametrize("kind", [MergeCase, UnmergeCase])
def test_nan_fails(kind: type) -> None:
    assert not check_op(TorchRunner(add_to_one(np.nan)), first_of(kind), "float32").passed


def test_another_shape_fails() -> None:
    result = check_op(TorchRunner(lambda output: output[:, :-1]), first_of(MatchCase), "float32")
    assert not result.passed
    assert "shape" in result.finding


def test_labels_may_come_as_floats() -> None:
    assert check_op(TorchRunner(lambda output: output.astype(np.float16)), first_of(UpsampleCase), "float16").passed


def test_a_runner_that_gives_up_has_failed() -> None:
    result = check_op(BrokenRunner(), first_of(MergeCase), "float32")
    assert (result.passed, result.finding) == (False, "The kernel gave up.")


def test_the_wrong_class_on_exact_ties_fails() -> None:
    class LastClass(TorchRunner):
        def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> tuple[Array, ...]:
            flipped = [np.ascontiguousarray(inputs[0][:, ::-1])]
            (labels,) = super().run(op, flipped, attributes)
            return (inputs[0].shape[1] - 1 - labels,)

    case = next(case for case in SMALL if isinstance(case, UpsampleCase) and case.ties)
    assert not check_op(LastClass(), case, "float32").passed


def test_every_op_type_and_trait_is_covered() -> None:
    assert {case.op.name for case in SMALL} == set(DECLARATIONS)
    matches = [case.tokens for case in SMALL if isinstance(case, MatchCase)]
    assert any(tokens.channels % 8 for tokens in matches)
    assert any(tokens.grid_hw[0] % tokens.stride_yx[0] for tokens in matches)
    assert any(tokens.ties for tokens in matches)
    assert any(tokens.batch == 3 for tokens in matches)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CLEAR_MATCHES, ids=str)
def test_rounding_decides_nothing(case: MatchCase, dtype: str) -> None:
    inputs = case.make_inputs(dtype)
    _, merged = case.tokens.make(dtype)
    similarities = case.tokens.similarities(inputs.tensors[0])
    ranked = np.sort(similarities, axis=-1)
    best = np.sort(ranked[..., -1], axis=-1)[:, ::-1]
    if merged < best.shape[1]:
        assert (best[:, merged - 1] - best[:, merged]).min() > LEAST_GAP
    for image, row in zip(ranked, best, strict=True):
        merging = image[image[:, -1] >= row[merged - 1]]
        assert (merging[:, -1] - merging[:, -2]).min() > LEAST_GAP


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"{case.op.name}: {case}")
def test_inputs_are_always_the_same(case: OpCase) -> None:
    first, second = case.make_inputs("float16"), case.make_inputs("float16")
    assert all((a == b).all() for a, b in zip(first.tensors, second.tensors, strict=True))
    assert first.attributes == second.attributes


def test_a_machine_without_a_gpu_is_told_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SegppError("Something is not here.", "it", "Get it.")

    for name in ("import_tensorrt", "require_gpu", "find_plugin_library"):
        monkeypatch.setattr(selftest, name, refuse)
    with pytest.raises(SegppError) as caught:
        run_selftest()
    assert caught.value.what.count("Something is not here.") == 3
    assert caught.value.fix == "Get it; Get it; Get it. Without a GPU: segpp-deploy selftest --host"
    assert caught.value.exit_code == 2


def test_large_cases_are_left_out_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = first_of(MergeCase), MergeCase(9, 5, 4, is_large=True)
    monkeypatch.setattr(selftest, "open_host_kernels", TorchRunner)
    result = run_selftest(SelftestOptions(host=True, cases=(small, large)))
    assert result.passed
    assert {check.case for check in result.checks} == {str(small)}


def test_result_tells_what_failed() -> None:
    good = CheckResult("TokenMerge", "a", "float32", True, "largest error 0")
    bad = dataclasses.replace(good, passed=False)
    result = SelftestResult("here", (good, bad))
    assert not result.passed
    assert result.summary() == "1 of 2 checks failed."
    assert [row[3] for row in result.tables()[0].rows] == ["ok", "FAILED"]
    document = result.to_dict()
    assert document["passed"] is False
    assert document["checks"][1]["passed"] is False
    assert SelftestResult("here", (good,)).summary() == "All 1 checks passed."


@pytest.mark.slow
def test_the_model_check_runs_and_agrees_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unmerged and with most kinds of merging; other tests hold every mode to PyTorch."""
    bars = {mode: model_checks.MODEL_BARS[mode] for mode in (Preset.ORIGINAL, Preset.FAST_PLUS)}
    monkeypatch.setattr(model_checks, "MODEL_BARS", bars)
    results = model_checks.check_models(target=TargetName.CPU)
    if "weights" in results[0].finding:
        skip_or_fail("demo_model", results[0].finding)
    assert [result.passed for result in results] == [True] * len(model_checks.MODEL_BARS), results


def test_a_model_that_cannot_be_built_has_failed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SegppError("No export today.")

    monkeypatch.setattr(model_checks, "run_export", refuse)
    result = model_checks.check_model(Preset.HQ, TargetName.CPU, tmp_path)
    assert (result.passed, result.finding) == (False, "No export today.")
