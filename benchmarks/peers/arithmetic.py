"""How much arithmetic a model is, and how much this machine can do in a second."""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers.transformers_model import published_form
from benchmarks.peers.variants import OURS, Case
from segpp_deploy.config import Arch, Precision, Preset, Size
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import PRESETS

PEAK_SIDE = 2048
PEAK_SECONDS = 3.0
DTYPES = {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16}


def gflop(case: Case) -> float:
    """Return the GFLOP of a variant's products and convolutions (two per multiply-accumulate), without matching."""
    return _gflop(case.arch, case.size, case.variant.mode, folded=case.variant.maker in OURS)


@cache
def _gflop(arch: Arch, size: Size, mode: Preset, *, folded: bool) -> float:
    model = published_form(arch)
    model.plan = PRESETS[mode]
    model = (fold_model(model) if folded else model).to("meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, *size.hw, device="meta"))
    return float(counter.get_total_flops() / 1e9)


def measure_peaks(precisions: Collection[Precision]) -> dict[Precision, float]:
    """Return the GFLOP/s of a large matrix product in those of the precisions that PyTorch has such products in."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:  # memory and threads go with it
        return {
            precision: process.submit(_peak, dtype).result()
            for precision, dtype in DTYPES.items()
            if precision in precisions
        }


def _peak(dtype: torch.dtype) -> float:
    left, right = (torch.randn(PEAK_SIDE, PEAK_SIDE).to(dtype) for _ in range(2))
    best, end = float("inf"), time.perf_counter() + PEAK_SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return 2 * PEAK_SIDE**3 / best / 1e9
