"""The cost model: sane before anything was measured, close after a few measurements, never negative."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import Arch, Lowering, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import ModelSpec
from segpp_deploy.model.work import Kernel, Part, network_kernels
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.tuning.search.cost_model import FIRST_ERROR, LEAST_ERROR, CostModel
from segpp_deploy.tuning.search.peaks import GPUS, find_gpu
from tests.tuning.search.fakes import SPEC, true_ms

CPU = EngineKind(TargetName.CPU)
MIDDLE = Size(512, 512)


def preset(name: Preset, size: Size = MIDDLE) -> Candidate:
    return Candidate(PRESETS[name], size, CPU)


def total(kernels: list[Kernel], name: str) -> int:
    return sum(kernel.tensor_operations for kernel in kernels if kernel.name == name)


def kernels_of(spec: ModelSpec, name: Preset, *size_hw: int, lowering: Lowering = Lowering.PORTABLE) -> list[Kernel]:
    return list(network_kernels(spec, PRESETS[name], size_hw, fused=False, lowering=lowering))  # type: ignore[arg-type]


def test_work_of_a_whole_network() -> None:
    kernels = kernels_of(SPEC, Preset.ORIGINAL, 64, 128)
    assert total(kernels, "head: predict") == 2 * (16 * 32) * 256 * 11
    assert total(kernels, "head: fusion") == 2 * (512 + 128 + 32 + 8) * 256 * 256
    first = next(kernel for kernel in kernels if kernel.name == "patch embedding")
    assert first.tensor_operations == 2 * (16 * 32) * (3 * 7 * 7) * 32
    linear = kernels_of(ModelSpec(Arch.B0, 11, normalised_stages=False), Preset.ORIGINAL, 64, 128)
    assert total(linear, "head: fusion") == 0
    with pytest.raises(SegppError, match="too small"):
        kernels_of(SPEC, Preset.DOWNSAMPLE, 32, 32)


def test_portable_merging_is_a_product_with_a_one_hot_matrix() -> None:
    portable = kernels_of(SPEC, Preset.FAST, 512, 512)
    plugin = kernels_of(SPEC, Preset.FAST, 512, 512, lowering=Lowering.PLUGIN)
    assert total(portable, "means") > 0
    assert total(plugin, "means") == 0
    assert total(portable, "similarity") == total(plugin, "similarity")


def test_before_anything_is_measured_large_inputs_gain_most() -> None:
    model = CostModel(SPEC)
    gains = [
        model.predict_ms(preset(Preset.ORIGINAL, size)) / model.predict_ms(preset(Preset.FAST, size))
        for size in (Size(64, 64), Size(512, 512), Size(1024, 1024))
    ]
    assert gains == sorted(gains)
    assert gains[0] < 1.1
    assert gains[-1] > 1.5
    assert model.error == FIRST_ERROR


def test_a_few_measurements_correct_it() -> None:
    """Another machine, which is bound by other things: five presets teach it the rest."""
    model = CostModel(SPEC)
    for name in (Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.POOL_2X2, Preset.FAST_REUSE):
        model.learn(preset(name), true_ms(preset(name)))
    for unseen in (preset(Preset.HQ_REUSE), preset(Preset.N1D), preset(Preset.DOWNSAMPLE)):
        assert model.predict_ms(unseen) == pytest.approx(true_ms(unseen), rel=0.1)
    assert model.error == LEAST_ERROR


def test_factors_are_never_negative() -> None:
    """Merging that seems to cost less than nothing costs nothing."""
    model = CostModel(SPEC)
    for name, milliseconds in ((Preset.ORIGINAL, 100.0), (Preset.HQ, 10.0), (Preset.FAST, 9.0)):
        model.learn(preset(name), milliseconds)
    factors = model.factors(CPU)
    assert (factors >= 0).all()
    assert len(factors) == len(Part)
    assert np.isfinite(factors).all()


def test_engines_do_not_teach_each_other() -> None:
    model = CostModel(SPEC)
    model.learn(preset(Preset.ORIGINAL), 1000.0)
    other = Candidate(PRESETS[Preset.ORIGINAL], Size(512, 512), EngineKind(TargetName.OPENVINO))
    assert model.predict_ms(other) == model.roofline_ms(other)


def test_gpus_have_peaks_and_launches() -> None:
    times = [CostModel(SPEC, gpu, Lowering.PLUGIN).roofline_ms(preset(Preset.ORIGINAL)) for gpu in GPUS]
    assert times == sorted(times, reverse=True)
    assert all(0 < time < 100 for time in times)
    with pytest.raises(SegppError, match="Unknown GPU 'RTX 409'") as caught:
        find_gpu("RTX 409")
    assert "RTX 4090" in caught.value.fix
