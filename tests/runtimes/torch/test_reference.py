"""The PyTorch model of an engine is found again, or the message says how to name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from segpp_deploy.config import ChannelOrder, OutputKind, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.model.weights.training_record import TrainingRecord
from segpp_deploy.runtimes.torch.reference import load_model_for, open_reference
from tests.support.random_models import random_model
from tests.workflows.fake_session import make_metadata

METADATA = make_metadata(OutputKind.LOGITS, size=Size(64, 64))


def test_random_weights_are_drawn_again() -> None:
    metadata = replace(METADATA, checkpoint="random weights, seed 7", seed=7, plan=PRESETS[Preset.HQ])
    first, second = (load_model_for(metadata, None, Path("a.engine")) for _ in range(2))
    assert first.plan == PRESETS[Preset.HQ]
    for mine, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert open_reference(metadata, None, Path("a.engine")).metadata == metadata


def test_one_output_is_compared_by_the_threshold_of_the_export() -> None:
    metadata = replace(METADATA, checkpoint="random weights, seed 7", seed=7, threshold=0.4)
    assert load_model_for(metadata, None, Path("a.engine")).spec.num_outputs == 1
    logits = open_reference(metadata, None, Path("a.engine")).run(np.zeros((1, 64, 64, 3), np.uint8))
    assert logits.shape == (1, 2, 16, 16)
    assert (logits[:, 0] == 0).all()


@pytest.mark.parametrize("named", ["moved.pth", "moved-folder", "moved/card.yaml", "no_such_card", "v1.5/folder.d"])
def test_moved_weights_are_asked_for(named: str, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="is not here") as caught:
        load_model_for(replace(METADATA, checkpoint=named), None, tmp_path / "a.engine")
    assert named in caught.value.what
    assert "--checkpoint FILE" in caught.value.fix


@pytest.mark.camvid
def test_found_beside_the_engine_and_checked(camvid_weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / camvid_weights.name
    copy.write_bytes(camvid_weights.read_bytes())
    metadata = replace(METADATA, checkpoint=f"elsewhere/{copy.name}", checkpoint_sha256="0" * 64)
    with pytest.raises(SegppError, match="are not the ones it was exported from"):
        load_model_for(metadata, None, tmp_path / "a.engine")


def test_the_reference_is_the_model_that_was_exported(tmp_path: Path) -> None:
    plain = to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG)
    mean = {name: tensor * 2 if name.endswith("conv_seg.weight") else tensor for name, tensor in plain.items()}
    torch.save({"state_dict": plain, "state_dict_ema": mean}, tmp_path / "w.pth")
    stated = TrainingRecord(channel_order=ChannelOrder.BGR)
    for weights in (None, "ema", "plain"):
        exported = load_source(CheckpointSource(tmp_path / "w.pth", weights=weights, stated=stated))
        metadata = replace(
            METADATA, checkpoint=exported.name, checkpoint_sha256=exported.sha256, training=exported.training
        )
        reference = load_model_for(metadata, None, tmp_path / "a.engine")
        for mine, theirs in zip(reference.parameters(), exported.model.parameters(), strict=True):
            assert torch.equal(mine, theirs)
