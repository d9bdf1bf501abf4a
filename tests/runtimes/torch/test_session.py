from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from segpp_deploy.config import Arch, InputKind, OutputKind, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer
from segpp_deploy.ops.upsample_argmax import upsample_argmax
from segpp_deploy.runtimes.torch.session import TorchSession
from tests.support.tiny_graphs import CLASSES, tiny_metadata


@pytest.fixture(scope="module")
def model() -> SegFormer:
    torch.manual_seed(0)
    return build_segformer(ModelSpec(Arch.B0, CLASSES))


IMAGES = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
METADATA = tiny_metadata(OutputKind.LOGITS, batch=None)


def normalised() -> np.ndarray:
    mean, std = (np.array(value, np.float32) for value in (METADATA.normalization.mean, METADATA.normalization.std))
    return ((IMAGES - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)


def test_bytes_are_normalised_inside(model: SegFormer) -> None:
    logits = TorchSession(model, METADATA).run(IMAGES)
    assert logits.shape == (2, CLASSES, 16, 24)
    with torch.inference_mode():
        expected = model(torch.from_numpy(normalised())).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    as_float = TorchSession(model, replace(METADATA, input_kind=InputKind.FLOAT)).run(normalised())
    np.testing.assert_allclose(as_float, expected, atol=1e-6)


def test_labels_follow_from_the_logits(model: SegFormer) -> None:
    session = TorchSession(model, replace(METADATA, output_kind=OutputKind.LABELS))
    labels, logits = session.run(IMAGES), session.logits(IMAGES)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, upsample_argmax(torch.from_numpy(logits), 64, 96).numpy())


def test_read_only_images_give_no_warning(model: SegFormer) -> None:
    images = IMAGES.copy()
    images.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TorchSession(model, METADATA).run(images)


def test_a_gpu_that_is_not_here(model: SegFormer) -> None:
    with pytest.raises(SegppError, match="finds no NVIDIA GPU that it can use"):
        TorchSession(model, METADATA, TorchDevice.CUDA)


def test_images_that_do_not_fit(model: SegFormer) -> None:
    with pytest.raises(SegppError, match="cannot take float32"):
        TorchSession(model, METADATA).run(normalised())
