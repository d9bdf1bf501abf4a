"""What counts as right: the bars between a kernel's output and the PyTorch reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_match_merge import TOKEN_MATCH_MERGE
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_merge_with_size import TOKEN_MERGE_WITH_SIZE
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.ops.upsample_argmax import UPSAMPLE_ARGMAX
from segpp_deploy.workflows.selftest.cases import OpCase, OpInputs

Array = NDArray[Any]

CLOSE_BARS = {"float32": 1e-5, "float16": 2e-3}
TIE_MARGIN = 1e-4
"""Logits that differ by less may be ordered either way by rounding; exact ties are no such case."""


@dataclass(frozen=True)
class Verdict:
    """Whether an output is right, and how far it is from the reference in a few words."""

    passed: bool
    finding: str


Judge = Callable[[OpInputs, Array, Array], Verdict]
"""Compares one output: inputs, the reference's, the kernel's."""


def compute_reference(case: OpCase, inputs: OpInputs) -> tuple[Array, ...]:
    """Return the PyTorch reference's outputs on the CPU."""
    op = getattr(torch.ops.segpp, case.op.stem)
    returned = op(*map(torch.from_numpy, inputs.tensors), **inputs.attributes)
    outputs = (returned,) if isinstance(returned, torch.Tensor) else returned
    return tuple(np.asarray(output.numpy()) for output in outputs)


def judge(case: OpCase, inputs: OpInputs, expected: Sequence[Array], found: Sequence[Array]) -> Verdict:
    """Compare outputs with the reference's.

    Args:
        case: what was computed.
        inputs: with which inputs.
        expected: the reference's outputs.
        found: the kernel's outputs; labels may have any type that holds them.
    """
    verdicts = [
        _judge_output(compare, inputs, one, other)
        for compare, one, other in zip(_JUDGES[case.op.name], expected, found, strict=True)
    ]
    return Verdict(all(verdict.passed for verdict in verdicts), "; ".join(verdict.finding for verdict in verdicts))


def _judge_output(compare: Judge, inputs: OpInputs, expected: Array, found: Array) -> Verdict:
    if found.shape != expected.shape:
        return Verdict(False, f"shape {found.shape}, expected {expected.shape}")
    return compare(inputs, expected, found)


def _judge_exact(inputs: OpInputs, expected: Array, found: Array) -> Verdict:
    return _count_differences(expected != found)  # a NaN differs from everything


def _judge_close(inputs: OpInputs, expected: Array, found: Array) -> Verdict:
    bar = CLOSE_BARS[expected.dtype.name]
    with np.errstate(invalid="ignore"):
        error = float(np.abs(expected.astype(np.float64) - found.astype(np.float64)).max())
    return Verdict(bool(error <= bar), f"largest error {error:.1e}, at most {bar:.0e}")


def _judge_labels(inputs: OpInputs, expected: Array, found: Array) -> Verdict:
    is_clear = _margin(inputs) > TIE_MARGIN
    verdict = _count_differences((expected != found) & is_clear)
    skipped = int(np.count_nonzero(~is_clear))
    return Verdict(verdict.passed, verdict.finding + (f", {skipped} near-ties left out" if skipped else ""))


def _margin(inputs: OpInputs) -> Array:
    """Return by how much the best class leads at each pixel; infinite where the logits tie exactly or stand alone."""
    logits = torch.from_numpy(inputs.tensors[0]).double()
    size = (inputs.attributes["height"], inputs.attributes["width"])
    full = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    if full.shape[1] == 1:
        return np.full((full.shape[0], *size), np.inf)
    best = full.topk(2, dim=1).values
    margin = best[:, 0] - best[:, 1]
    return np.asarray(torch.where(margin == 0, torch.inf, margin).numpy())


def _count_differences(differs: Array) -> Verdict:
    count = int(np.count_nonzero(differs))
    return Verdict(count == 0, f"{count} of {differs.size} values differ")


_JUDGES: dict[str, tuple[Judge, ...]] = {
    TOKEN_MATCH.name: (_judge_exact,),
    TOKEN_MATCH_MERGE.name: (_judge_exact, _judge_close, _judge_close),
    TOKEN_MERGE.name: (_judge_close,),
    TOKEN_MERGE_WITH_SIZE.name: (_judge_close, _judge_close),
    TOKEN_UNMERGE.name: (_judge_exact,),
    UPSAMPLE_ARGMAX.name: (_judge_labels,),
}
"""For each op, how each of its outputs is compared."""
