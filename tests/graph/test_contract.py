from __future__ import annotations

from dataclasses import replace

import pytest

from segpp_deploy.config import InputKind, OutputKind, Preset, Size
from segpp_deploy.graph.contract import TensorSpec, input_spec, noise_images, output_specs
from segpp_deploy.model.plan import PRESETS, count_tokens
from tests.support.tiny_graphs import tiny_metadata


@pytest.mark.parametrize("batch", [1, 3, None])
def test_ends_of_each_kind(batch: int | None) -> None:
    assert input_spec(tiny_metadata(batch=batch)) == TensorSpec("image", "uint8", (batch, 64, 96, 3))
    for kind in (InputKind.FLOAT, InputKind.FLOAT255):
        as_float = tiny_metadata(input_kind=kind, batch=batch)
        assert input_spec(as_float) == TensorSpec("image", "float32", (batch, 3, 64, 96))
    assert output_specs(tiny_metadata(batch=batch))[0] == TensorSpec("labels", "uint8", (batch, 64, 96))
    logits = tiny_metadata(OutputKind.LOGITS, batch=batch)
    assert output_specs(logits)[0] == TensorSpec("logits", "float32", (batch, 3, 16, 24))
    heatmaps = replace(logits, output_kind=OutputKind.HEATMAPS)
    assert output_specs(heatmaps)[0].name == "heatmaps"


def test_noise_has_the_values_of_the_input() -> None:
    as_bytes, planes = (noise_images(tiny_metadata(input_kind=kind)) for kind in (InputKind.UINT8, InputKind.FLOAT255))
    assert as_bytes.min() == planes.min() == 0
    assert as_bytes.max() == planes.max() == 255
    assert abs(noise_images(tiny_metadata(input_kind=InputKind.FLOAT)).mean()) < 0.1


@pytest.mark.parametrize(
    ("preset", "size", "grid"),
    [
        (Preset.ORIGINAL, Size(360, 482), (90, 121)),  # strided convolutions round up
        (Preset.DOWNSAMPLE, Size(512, 1024), (64, 128)),
    ],
)
def test_logits_have_the_first_stages_grid(preset: Preset, size: Size, grid: tuple[int, int]) -> None:
    plan = PRESETS[preset]
    metadata = replace(
        tiny_metadata(OutputKind.LOGITS), plan=plan, size=size, tokens=tuple(count_tokens(plan, size.hw))
    )
    assert output_specs(metadata)[0].shape == (1, 3, *grid)


def test_accepts() -> None:
    spec = TensorSpec("image", "uint8", (None, 4, 6, 3))
    assert spec.accepts("uint8", (5, 4, 6, 3))
    assert not spec.accepts("int8", (5, 4, 6, 3))
    assert not spec.accepts("uint8", (4, 6, 3))
    assert not spec.accepts("uint8", (5, 4, 7, 3))
    assert not TensorSpec("image", "uint8", (2, 4)).accepts("uint8", (1, 4))
