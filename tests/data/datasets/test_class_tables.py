"""Class tables stand in the data sets and in the model cards, which users read on their own: they must not differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import ClassTable, KeypointRelations
from segpp_deploy.data.datasets.ade20k import ADE20K_CLASSES
from segpp_deploy.data.datasets.camvid import CAMVID_CLASSES
from segpp_deploy.data.datasets.cityscapes import CITYSCAPES_CLASSES
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.jbd import JBD_KEYPOINTS, JBD_RELATIONS
from segpp_deploy.data.scenes import SCENE_CLASSES
from segpp_deploy.model.weights.cards import load_card
from segpp_deploy.model.weights.checkpoint import load_checkpoint


@pytest.mark.parametrize(
    ("card", "classes"),
    [
        ("segformerpp_b5_ade20k", ADE20K_CLASSES),
        ("segformerpp_b5_cityscapes", CITYSCAPES_CLASSES),
        ("segformer_b0_scenes", SCENE_CLASSES),
        ("segformerpp_b5_coco", COCO_KEYPOINTS),
        ("segformer_b0_people", COCO_KEYPOINTS),
        ("segformerpp_b5_jbd", JBD_KEYPOINTS),
    ],
)
def test_cards_name_the_data_sets_classes(card: str, classes: ClassTable) -> None:
    assert load_card(card).class_table().names == classes.names


@pytest.mark.parametrize(
    ("card", "classes"),
    [
        ("segformerpp_b5_cityscapes", CITYSCAPES_CLASSES),
        ("segformer_b0_scenes", SCENE_CLASSES),
        ("segformerpp_b5_coco", COCO_KEYPOINTS),
        ("segformer_b0_people", COCO_KEYPOINTS),
        ("segformerpp_b5_jbd", JBD_KEYPOINTS),
    ],
)
def test_cards_have_the_data_sets_colours(card: str, classes: ClassTable) -> None:
    assert load_card(card).class_table().palette == classes.palette


@pytest.mark.parametrize(
    ("card", "relations"),
    [
        ("segformerpp_b5_coco", COCO_RELATIONS),
        ("segformer_b0_people", COCO_RELATIONS),
        ("segformerpp_b5_jbd", JBD_RELATIONS),
    ],
)
def test_cards_know_how_keypoints_belong_together(card: str, relations: KeypointRelations) -> None:
    assert load_card(card).keypoint_relations() == relations


@pytest.mark.camvid
def test_camvid_weights_name_the_data_sets_classes(camvid_weights: Path) -> None:
    names = load_checkpoint(camvid_weights).record.classes
    assert names is not None
    assert [name.lower() for name in names] == [name.lower() for name in CAMVID_CLASSES.names]
