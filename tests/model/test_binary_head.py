"""A head with one output means what its sigmoid above a threshold means, and nothing but two classes is left of it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from segpp_deploy.config import Arch, TaskName
from segpp_deploy.model.binary_head import with_background
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer
from segpp_deploy.ops.upsample_argmax import upsample_argmax
from tests.support.random_models import randomise

SIZE_HW = (64, 96)


@pytest.fixture(scope="module")
def model() -> SegFormer:
    torch.manual_seed(0)
    model = build_segformer(ModelSpec(Arch.B0, 1))
    randomise(model)
    return model


@pytest.mark.parametrize(("threshold", "folded"), [(0.3, False), (0.5, True), (0.9, True)])
def test_labels_are_where_the_sigmoid_exceeds_the_threshold(threshold: float, folded: bool, model: SegFormer) -> None:
    picture = torch.randn(1, 3, *SIZE_HW, generator=torch.Generator().manual_seed(1))
    used = fold_model(model) if folded else model
    shift = math.log(threshold / (1 - threshold))
    with torch.inference_mode():
        trained = used(picture)
        centre = shift - trained.median()  # some of either kind, whatever the threshold
        used.head.predict.bias += centre
        found = with_background(used, threshold)(picture)
        used.head.predict.bias -= centre
    resized = F.interpolate(trained + centre, size=SIZE_HW, mode="bilinear", align_corners=False)[:, 0]
    labels, expected = upsample_argmax(found, *SIZE_HW).bool(), resized.sigmoid() > threshold
    clear = (resized - shift).abs() > 1e-4
    assert 0.1 < expected.float().mean() < 0.9
    assert clear.float().mean() > 0.99
    assert torch.equal(labels[clear], expected[clear])
    assert (found[:, 0] == 0).all()
    torch.testing.assert_close(found[:, 1], trained[:, 0] + centre - shift, atol=5e-5, rtol=0)


def test_equal_is_not_above() -> None:
    silent = build_segformer(ModelSpec(Arch.B0, 1))
    with torch.inference_mode():
        silent.head.predict.weight.zero_()
        logits = with_background(silent, 0.5)(torch.zeros(1, 3, 64, 64))
    assert (upsample_argmax(logits, 64, 64) == 0).all()


def test_the_trained_model_stays_as_it_is(model: SegFormer) -> None:
    before = model.head.predict.bias.clone()
    assert with_background(model, 0.3).head.predict.out_channels == 2
    assert torch.equal(model.head.predict.bias, before)


def test_one_keypoint_is_no_sigmoid() -> None:
    assert ModelSpec(Arch.B0, 1).is_binary
    assert not ModelSpec(Arch.B0, 2).is_binary
    assert not ModelSpec(Arch.B0, 1, task=TaskName.POSE).is_binary
