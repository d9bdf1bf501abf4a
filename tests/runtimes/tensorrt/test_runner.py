"""The run loop on a fake GPU: what is queued, captured, replayed and given back. No real GPU has run it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.tensorrt.loader import load_engine
from segpp_deploy.runtimes.tensorrt.runner import EngineRunner
from tests.runtimes.tensorrt.fake_tensorrt import HEIGHT, WIDTH, FakeTensorRt, wrap
from tests.support.fake_cuda import Error, FakeCuda


def open_runner(api: FakeTensorRt, tmp_path: Any, profile: bool = False) -> EngineRunner:
    (tmp_path / "a.engine").write_bytes(b"engine")
    trt = wrap(api)
    return EngineRunner(trt, load_engine(trt, tmp_path / "a.engine", needs_plugins=False), profile)


def noise(batch: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (batch, HEIGHT, WIDTH, 3), np.uint8)


def thirds(images: NDArray[np.uint8]) -> NDArray[Any]:
    brightest = images.max(axis=3)
    return (brightest > 85).astype(np.uint8) + (brightest > 170)


def test_the_second_run_is_captured_and_replayed(cuda: FakeCuda, tmp_path: Any) -> None:
    api = FakeTensorRt(cuda)
    with closing(open_runner(api, tmp_path)) as runner:
        for seed, is_graph in enumerate([False, True, True, True]):
            np.testing.assert_array_equal(*runner.run(noise(1, seed)), thirds(noise(1, seed)))
            assert runner.uses_cuda_graph is is_graph
        assert api.contexts[0].runs == 2  # one by itself, one captured; the rest are replays
        assert cuda.calls.count("cudaGraphLaunch") == 3
        assert cuda.calls.count("cudaMemcpyAsync") == 4
        assert cuda.calls.count("cudaMalloc") == cuda.calls.count("cudaMallocHost") == 2
    assert not cuda.live


def test_results_are_arrays_of_their_own(cuda: FakeCuda, tmp_path: Any) -> None:
    with closing(open_runner(FakeTensorRt(cuda), tmp_path)) as runner:
        (first,) = runner.run(noise(1))
        kept = first.copy()
        runner.run(noise(1, seed=1))
    np.testing.assert_array_equal(first, kept)


def test_each_batch_size_gets_a_graph_of_its_own(cuda: FakeCuda, tmp_path: Any) -> None:
    api = FakeTensorRt(cuda, batch=-1, max_batch=3)
    with closing(open_runner(api, tmp_path)) as runner:
        for batch, is_graph in [(3, False), (3, True), (1, False), (3, False), (3, True), (3, True)]:
            np.testing.assert_array_equal(*runner.run(noise(batch)), thirds(noise(batch)))
            assert runner.uses_cuda_graph is is_graph
        assert cuda.calls.count("cudaMalloc") == 2  # for the largest batch, once
        with pytest.raises(SegppError, match="at most 3 images at once, not 4") as caught:
            runner.run(noise(4))
        assert "--max-batch 4" in caught.value.fix
        np.testing.assert_array_equal(*runner.run(noise(2)), thirds(noise(2)))
    assert not cuda.live


@pytest.mark.parametrize("case", ["engine refuses", "capture fails"])
def test_without_a_graph_runs_go_on(cuda: FakeCuda, tmp_path: Any, case: str) -> None:
    api = FakeTensorRt(cuda)
    api.is_capturable = case != "engine refuses"
    cuda.capture_error = Error.cudaErrorStreamCaptureUnsupported if case == "capture fails" else Error.cudaSuccess
    with closing(open_runner(api, tmp_path)) as runner:
        for seed in range(4):
            np.testing.assert_array_equal(*runner.run(noise(1, seed)), thirds(noise(1, seed)))
        assert not runner.uses_cuda_graph
        assert cuda.calls.count("cudaStreamBeginCapture") == (case == "capture fails")  # tried once
        assert not cuda.is_capturing
    assert not cuda.live


def test_a_capture_that_breaks_off_is_closed(cuda: FakeCuda, tmp_path: Any) -> None:
    api = FakeTensorRt(cuda)
    with closing(open_runner(api, tmp_path)) as runner:
        runner.run(noise(1))
        api.run_fails = True
        with pytest.raises(SegppError, match="failed while it ran: launch failure"):
            runner.run(noise(1))
        assert not cuda.is_capturing
    assert not cuda.live


def test_too_little_gpu_memory(cuda: FakeCuda, tmp_path: Any) -> None:
    cuda.memory_bytes = HEIGHT * WIDTH * 3 - 1
    with pytest.raises(SegppError, match="CUDA failed: out of memory") as caught:
        open_runner(FakeTensorRt(cuda), tmp_path)
    assert "smaller size" in caught.value.fix
    assert not cuda.live


def test_no_execution_context(cuda: FakeCuda, tmp_path: Any) -> None:
    api = FakeTensorRt(cuda)
    api.context_is_refused = True
    with pytest.raises(SegppError, match="cannot be set up on this GPU: no memory for activations"):
        open_runner(api, tmp_path)
    assert not cuda.live


def test_profiles_run_without_a_graph(cuda: FakeCuda, tmp_path: Any) -> None:
    with closing(open_runner(FakeTensorRt(cuda), tmp_path, profile=True)) as runner:
        for _ in range(3):
            runner.run(noise(1))
        assert not runner.uses_cuda_graph
    assert runner.layer_times == [[("conv + bias", 2.0), ("argmax", 0.5)]] * 3


def test_closing_twice(cuda: FakeCuda, tmp_path: Any) -> None:
    runner = open_runner(FakeTensorRt(cuda), tmp_path)
    runner.run(noise(1))
    runner.close()
    runner.close()
    assert not cuda.live
