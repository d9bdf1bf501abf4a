"""The model, in every mode, against the network written as functions; folding against the unfolded model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segpp_deploy.config import Arch, Preset
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import PRESETS, Bsm, MergePlan, N1d, N2d, StageSpec
from segpp_deploy.model.segformer import ModelSpec, build_segformer
from tests.model import published
from tests.model.closeness import relative_error
from tests.support.random_models import random_model

MIXED = MergePlan(
    "mixed",
    (
        StageSpec(kv=Bsm(0.6, (2, 2)), q=N2d((2, 2))),
        StageSpec(q=N1d(3), kv=N2d((2, 3))),
        StageSpec(q=Bsm(0.5, (2, 3), match_every=2), kv=Bsm(0.3, (1, 2), match_every=0)),
        StageSpec(kv=N1d(2)),
    ),
)
WEIGHTED = MergePlan(
    "weighted",
    (
        StageSpec(kv=N2d((3, 4), weighted=True)),
        StageSpec(kv=N1d(5, weighted=True), q=N2d((2, 2))),
        StageSpec(kv=Bsm(0.7, (2, 3), match_every=0, weighted=True), q=Bsm(0.5, (2, 3))),
        StageSpec(kv=Bsm(0.95, (2, 2), weighted=True)),  # every source merges
    ),
)
PLANS = [*PRESETS.values(), MIXED, WEIGHTED]
BAR = 5e-6


def image(height: int, width: int, batch: int = 1) -> torch.Tensor:
    """Smooth random pictures: white noise has near-ties in its similarities."""
    coarse = torch.randn(batch, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
@pytest.mark.parametrize("size", [(128, 192), (136, 200)], ids=["whole cells", "ragged"])
def test_model_equals_the_published_formulation(plan: MergePlan, size: tuple[int, int]) -> None:
    model = random_model(Dialect.MMSEG)
    model.plan = plan
    pictures = image(*size, batch=2)
    with torch.inference_mode():
        expected = published.segformer(model.state_dict(), pictures, plan, ARCH_SPECS[Arch.B0].depths)
        assert relative_error(model(pictures), expected) <= BAR


@pytest.mark.parametrize("arch", [Arch.B1, Arch.B2])
def test_deeper_backbones_equal_the_published_formulation(arch: Arch) -> None:
    model = random_model(Dialect.MMSEG, arch)
    model.plan = PRESETS[Preset.HQ]
    pictures = image(128, 128)
    with torch.inference_mode():
        expected = published.segformer(model.state_dict(), pictures, model.plan, ARCH_SPECS[arch].depths)
        assert relative_error(model(pictures), expected) <= BAR


@pytest.mark.parametrize("dialect", [Dialect.MMSEG, Dialect.NVLABS])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_folding_is_exact(dialect: Dialect, plan: MergePlan) -> None:
    model = random_model(dialect)
    model.plan = plan
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pictures = image(136, 200)
    with torch.inference_mode():
        assert relative_error(fold_model(model)(pictures), model(pictures)) <= BAR
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_folding_removes_batch_norm_and_the_wide_fusion() -> None:
    names = {type(module).__name__ for module in fold_model(random_model(Dialect.MMSEG)).modules()}
    assert not names & {"BatchNorm2d", "DecodeHead"}


@pytest.mark.parametrize("arch", list(Arch))
def test_every_backbone_builds(arch: Arch) -> None:
    with torch.inference_mode(), torch.device("meta"):  # shapes without numbers: B5 has 82 million
        model = build_segformer(ModelSpec(arch, num_outputs=3))
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 16, 16)


def test_real_weights_on_a_real_frame(camvid_root: Path, camvid_weights: Path) -> None:
    from segpp_deploy.data.images import list_images, read_image
    from segpp_deploy.model.weights.checkpoint import load_checkpoint

    model = load_checkpoint(camvid_weights).model
    frame = torch.from_numpy(read_image(list_images(camvid_root / "images/val")[0])).permute(2, 0, 1)[None].float()
    pictures = (frame[..., 100:302, 100:334] - 115) / 58  # a part that no cell divides
    for preset in (Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.POOL_2X2):
        model.plan = PRESETS[preset]
        with torch.inference_mode():
            expected = published.segformer(model.state_dict(), pictures, model.plan, ARCH_SPECS[Arch.B0].depths)
            assert (model(pictures).argmax(1) == expected.argmax(1)).float().mean() >= 0.999
