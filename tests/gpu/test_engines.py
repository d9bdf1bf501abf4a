"""Engines on the GPU: agreement with PyTorch, CUDA graphs, dynamic batch, bench, the shipped model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.engine.open import open_session
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.runtimes.tensorrt.loader import load_engine
from segpp_deploy.runtimes.tensorrt.runner import EngineRunner
from segpp_deploy.runtimes.torch.reference import open_reference
from segpp_deploy.workflows.bench.run import BenchOptions, run_bench
from segpp_deploy.workflows.selftest.model_checks import check_models
from tests.gpu.conftest import SIZE

pytestmark = pytest.mark.gpu

LOGIT_TOLERANCE = 1e-3  # float32 without TF32, sums in another order


def pictures(count: int) -> NDArray[np.uint8]:
    """Scenes [count, H, W, 3]."""
    return np.stack([generate_scene(seed, SIZE).image for seed in range(count)])


def test_session_agrees_with_pytorch(engine: Path) -> None:
    metadata = read_manifest(engine).metadata
    reference = open_reference(metadata, None, engine)
    with closing(open_session(engine)) as session:
        for image in pictures(3):
            expected, found = (model.run(image[None]) for model in (reference, session))
            # A near-tie may merge other tokens: a few places may differ, most may not.
            assert np.mean(np.abs(expected - found) < LOGIT_TOLERANCE) > 0.99


def test_cuda_graph_gives_what_the_plain_run_gives(engine: Path) -> None:
    loaded = load_engine(import_tensorrt(TargetName.TENSORRT), engine, needs_plugins=True)
    first, second = pictures(2)[:, None]
    with closing(EngineRunner(import_tensorrt(TargetName.TENSORRT), loaded)) as runner:
        plain = runner.run(first)
        assert not runner.uses_cuda_graph
        replays = [runner.run(image) for image in (first, second, first)]
        assert runner.uses_cuda_graph
    assert plain.tobytes() == replays[0].tobytes() == replays[2].tobytes()
    assert plain.tobytes() != replays[1].tobytes()


def test_any_batch_gives_what_single_images_give(dynamic_engine: Path) -> None:
    images = pictures(3)
    with closing(open_session(dynamic_engine)) as session:
        singles = np.concatenate([session.run(image[None]) for image in images])
        for batch in (2, 3, 1):
            together = session.run(images[:batch])
            assert together.shape[0] == batch
            assert np.mean(np.abs(together - singles[:batch]) < LOGIT_TOLERANCE) > 0.99


def test_bench_times_an_engine(engine: Path) -> None:
    (timing,) = run_bench(BenchOptions((engine,), iterations=5, warmup=2)).engines
    assert 0 < timing.calls.latency_ms.min <= timing.calls.latency_ms.median


def test_the_shipped_model_agrees_with_pytorch() -> None:
    assert [check.finding for check in check_models() if not check.passed] == []
