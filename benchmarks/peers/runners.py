"""Variants, loaded: a picture in, its labels out, in three steps that are timed apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.peers.pixels import finish, prepare
from benchmarks.peers.tomesd_attention import merge_attention
from benchmarks.peers.transformers_model import Transformers, published_form
from benchmarks.peers.variants import Case, Maker
from benchmarks.peers.workshop import Workshop
from segpp_deploy.config import Precision, Size
from segpp_deploy.engine.open import open_session
from segpp_deploy.evaluation.latency import come_to_rest
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.profiling import OperationGroup, group_times, profile_session
from segpp_deploy.runtimes.session import SessionOptions

OUR_TARGETS = {Maker.OURS_ONNXRUNTIME: TargetName.CPU, Maker.OURS_OPENVINO: TargetName.OPENVINO}
PROFILE_RUNS = 3
PROFILE_WARMUP = 1


@dataclass(frozen=True)
class StepTimes:
    """Milliseconds before, in and after the model; an engine of ours does all three in one graph."""

    before_ms: float
    model_ms: float
    after_ms: float

    @property
    def total_ms(self) -> float:
        """From the picture to its labels."""
        return self.before_ms + self.model_ms + self.after_ms


@dataclass(frozen=True)
class Runner:
    """The three steps; each takes what the one before returns."""

    before: Callable[[NDArray[np.uint8]], Any]
    model: Callable[[Any], Any]
    after: Callable[[Any], NDArray[np.uint8]]

    def run(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], StepTimes]:
        """Label uint8 [H, W, 3]: return uint8 [H, W] and how long it took."""
        marks = [time.perf_counter()]
        value: Any = picture
        with torch.inference_mode():
            for step in (self.before, self.model, self.after):
                value = step(value)
                marks.append(time.perf_counter())
        come_to_rest()
        steps = [1000 * (end - start) for start, end in pairwise(marks)]
        return value, StepTimes(*steps)


def make_file(case: Case, workshop: Workshop) -> Path | None:
    """Return the file that a variant is loaded from, made where it is missing; PyTorch needs none."""
    variant = case.variant
    if variant.maker in OUR_TARGETS:
        return workshop.our_engine(OUR_TARGETS[variant.maker], variant.precision, variant.mode)
    if variant.maker is Maker.OPTIMUM:
        return workshop.optimum_export()
    if variant.maker is Maker.OPENVINO and variant.precision is Precision.INT8:
        return workshop.nncf_int8()
    return workshop.plain_export() if variant.maker in (Maker.EXPORT, Maker.OPENVINO) else None


def load(case: Case, workshop: Workshop) -> Runner:
    """Load a variant."""
    maker, precision = case.variant.maker, case.variant.precision
    path = make_file(case, workshop)
    if path is None:
        return _load_torch(workshop, maker, precision)
    if maker in OUR_TARGETS:
        return Runner(lambda picture: picture[None], open_session(path).run, lambda labels: labels[0])
    if maker is Maker.OPENVINO:
        return _load_openvino(path, precision, workshop.size)
    return _load_onnxruntime(path, workshop.size)


def profile(case: Case, workshop: Workshop) -> dict[OperationGroup, float]:
    """Return the milliseconds of each group of operations in an engine of ours."""
    path = make_file(case, workshop)
    assert path is not None
    session = open_session(path, SessionOptions(profile=True))
    return group_times(profile_session(session, PROFILE_RUNS, PROFILE_WARMUP).operations)


def _load_torch(workshop: Workshop, maker: Maker, precision: Precision) -> Runner:
    transformers = Transformers(published_form(workshop.arch))
    model: nn.Module = merge_attention(transformers) if maker is Maker.TOMESD else transformers
    dtype = torch.bfloat16 if precision is Precision.BF16 else torch.float32
    model = model.to(dtype)
    call: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model) if maker is Maker.COMPILED else model
    return Runner(lambda picture: prepare(picture).to(dtype), call, partial(finish, size=workshop.size))


def _load_onnxruntime(path: Path, size: Size) -> Runner:
    """As a user loads a file who knows no options."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return _around(lambda image: session.run(None, {name: image})[0], size)


def _load_openvino(path: Path, precision: Precision, size: Size) -> Runner:
    """For latency; what an int8 model does not quantise is computed in what OpenVINO takes by default."""
    import openvino

    config = {"PERFORMANCE_HINT": "LATENCY"}
    if precision is not Precision.INT8:
        config["INFERENCE_PRECISION_HINT"] = {Precision.FP32: "f32", Precision.BF16: "bf16"}[precision]
    compiled = openvino.Core().compile_model(path, "CPU", config)
    return _around(lambda image: compiled(image, share_inputs=True)[0], size)


def _around(run: Callable[[NDArray[Any]], NDArray[Any]], size: Size) -> Runner:
    return Runner(lambda picture: prepare(picture).numpy(), run, lambda logits: finish(torch.from_numpy(logits), size))
