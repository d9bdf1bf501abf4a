"""What mmengine and mmcv store beside the weights is read as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.config import ChannelOrder, KeypointRelations, Size, TaskName
from segpp_deploy.model.weights.config_text import parse_config_text
from segpp_deploy.model.weights.mm_record import read_mm_record
from segpp_deploy.model.weights.training_record import NOTHING_SAID

MMENGINE = """
crop_size = (256, 352)
pre = dict(bgr_to_rgb=True, mean=[1.0, 2.0, 3.0], std=[4, 5, 6], size=crop_size, type='SegDataPreProcessor')
model = dict(
    data_preprocessor=pre,
    decode_head=dict(align_corners=False, num_classes=2, out_channels=1, threshold=0.4),
    test_cfg=dict(mode='whole'))
train_pipeline = [dict(type='LoadAnnotations', reduce_zero_label=True)]
"""
MMCV = """
img_norm_cfg = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], to_rgb={rgb})
model = dict(test_cfg=dict(mode='slide', crop_size=(512, 768), stride=(341, 512)))
data = dict(test=dict(pipeline=[dict(type='MultiScale', transforms=[dict(type='Normalize', **img_norm_cfg)])]))
"""
MMPOSE_0 = """
data_cfg = dict(image_size=[192, 256], heatmap_size=[48, 64])
test_pipeline = [dict(type='ToTensor'), dict(type='NormalizeTensor', mean=[0.1, 0.2, 0.4], std=[0.2, 0.2, 0.4])]
"""


@pytest.mark.parametrize(
    "content",
    [{"meta": {"cfg": MMENGINE}}, {"message_hub": {"runtime_info": {"cfg": MMENGINE}}, "meta": {"cfg": ""}}],
)
def test_mmengine(content: dict[str, Any]) -> None:
    found = read_mm_record(content)
    assert (found.mean, found.std) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert (found.channel_order, found.size, found.window) == (ChannelOrder.RGB, Size(256, 352), None)
    assert (found.threshold, found.reduce_labels, found.align_corners) == (0.4, True, False)


@pytest.mark.parametrize("rgb", [True, False])
def test_statistics_of_mmcv_are_in_the_order_of_the_network(rgb: bool) -> None:
    found = read_mm_record({"meta": {"config": MMCV.format(rgb=rgb)}})
    assert found.mean == ((1.0, 2.0, 3.0) if rgb else (3.0, 2.0, 1.0))
    assert found.channel_order is (ChannelOrder.RGB if rgb else ChannelOrder.BGR)
    assert (found.size, found.window) == (Size(512, 768), Size(512, 768))


def test_a_preprocessor_without_statistics_leaves_bgr_pictures_as_they_are() -> None:
    found = read_mm_record({"meta": {"cfg": "model = dict(data_preprocessor=dict(type='SegDataPreProcessor'))"}})
    assert (found.mean, found.std, found.channel_order) == ((0, 0, 0), (1, 1, 1), ChannelOrder.BGR)


def test_mmpose_0_divides_by_255_first_and_gives_width_first() -> None:
    found = read_mm_record({"meta": {"config": MMPOSE_0}})
    assert found.mean == pytest.approx((25.5, 51, 102))
    assert found.std == pytest.approx((51, 51, 102))
    assert found.size == Size(256, 192)


def test_keypoints_keep_names_pairs_and_sigmas() -> None:
    described = {
        "keypoint_id2name": {0: "nose", 1: "left_eye", 2: "right_eye"},
        "flip_pairs": [(2, 1), (1, 2)],
        "sigmas": [0.026, 0.025, 0.025],
        "skeleton_links": [[1, 0], [0, 2], [2, 3]],
        "keypoint_colors": [[51, 153, 255], [0, 1, 2], None],
    }
    cfg = "model = dict(type='TopdownPoseEstimator')\ncodec = dict(input_size=(192, 256))"
    found = read_mm_record({"meta": {"dataset_meta": described, "cfg": cfg}})
    assert found.classes == ("nose", "left_eye", "right_eye")
    assert found.palette == ((51, 153, 255), (0, 1, 2), None)
    assert found.keypoints == KeypointRelations(((1, 2),), (0.026, 0.025, 0.025), ((0, 1), (0, 2)))
    assert (found.task, found.size) == (TaskName.POSE, Size(256, 192))


@pytest.mark.parametrize(
    "meta",
    [
        {"dataset_meta": {"classes": ("a", "b"), "reduce_zero_label": True}},
        {"CLASSES": ["a", "b"], "reduce_zero_label": True},
    ],
)
def test_class_names_and_the_numbering_of_labels(meta: dict[str, Any]) -> None:
    found = read_mm_record({"meta": meta})
    assert (found.classes, found.reduce_labels) == (("a", "b"), True)


@pytest.mark.parametrize("meta", [None, {}, [], {"cfg": 3}, {"cfg": "a = ("}])
def test_nothing_said_is_no_error(meta: object) -> None:
    assert read_mm_record({"meta": meta}) == NOTHING_SAID
    assert read_mm_record({}) == NOTHING_SAID


def test_a_configuration_is_data_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    text = f"import os\nx = os.system('touch {mark}')\ny = dict(z=__import__('os').system('touch {mark}'), w=-1.5)\n"
    assert parse_config_text(text) == {"x": None, "y": {"z": None, "w": -1.5}}
    assert not mark.exists()


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "x = " + "-" * 100_000 + "1", "x = 1\n" * 900_000, "\0", "x = 'a"]
)
def test_text_that_is_no_configuration(text: str) -> None:
    assert parse_config_text(text) == {}
