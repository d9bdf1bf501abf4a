"""Scores say which way is better; every task keeps to the protocol."""

from __future__ import annotations

import pytest

from segpp_deploy.config import Inference, OutputKind, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.tasks.protocol.evaluation import Score, Unit
from segpp_deploy.tasks.registry import TASKS, choose_output
from tests.workflows.fake_session import make_metadata


def test_losses() -> None:
    assert Score("mIoU", 0.60).loss_from(Score("mIoU", 0.61)) == pytest.approx(1.0)
    assert Score("mIoU", 0.62).loss_from(Score("mIoU", 0.61)) == pytest.approx(-1.0)
    far, near = Score("mean distance", 3.0, Unit.PIXELS), Score("mean distance", 1.0, Unit.PIXELS)
    assert far.loss_from(near) == 2.0
    assert near.loss_from(far) == -2.0


@pytest.mark.parametrize("name", TaskName)
def test_every_task_has_its_words(name: TaskName) -> None:
    task = TASKS[name]
    assert task.name is name
    assert task.outputs
    assert task.counted
    assert task.default_size.height % 32 == 0
    task.require_inference(Inference.WHOLE, make_metadata(task.outputs[0], task=name))


def test_outputs() -> None:
    assert choose_output(None, TaskName.SEG, 255) is OutputKind.LABELS
    assert choose_output(None, TaskName.SEG, 256) is OutputKind.LOGITS
    assert choose_output(OutputKind.LOGITS, TaskName.SEG, 19) is OutputKind.LOGITS
    assert choose_output(None, TaskName.POSE, 300) is OutputKind.HEATMAPS
    with pytest.raises(SegppError, match="--output labels does not fit a pose model"):
        choose_output(OutputKind.LABELS, TaskName.POSE, 17)
    with pytest.raises(SegppError, match="has 65536 classes"):
        choose_output(None, TaskName.SEG, 65536)
