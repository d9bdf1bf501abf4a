"""What is known of a training: who says it first is heard, the rest is assumed, and contradictions are errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import ChannelOrder, ClassTable, Normalization, TaskName, default_class_table
from segpp_deploy.errors import SegppError, command_line
from segpp_deploy.model.weights.class_file import read_class_file
from segpp_deploy.model.weights.training_record import NOTHING_SAID, TrainingRecord


def test_who_speaks_first_is_heard_and_the_next_completes() -> None:
    user = TrainingRecord(mean=(1, 2, 3), classes=("a", "b"))
    file = TrainingRecord(mean=(9, 9, 9), std=(4, 5, 6), classes=("x",), palette=((0, 0, 0),), reduce_labels=False)
    both = user.or_else(file)
    assert (both.mean, both.std, both.classes, both.reduce_labels) == ((1, 2, 3), (4, 5, 6), ("a", "b"), False)
    assert both.palette is None  # the colours belong to the other names


def test_nothing_said_is_assumed_in_words() -> None:
    assert NOTHING_SAID.assumed(5) == ("RGB", "ImageNet mean and deviation", "class names class_0 to class_4")
    assert TrainingRecord(task=TaskName.POSE, mean=(1, 2, 3), channel_order=ChannelOrder.BGR).assumed(1) == (
        "ImageNet deviation",
        "keypoint names class_0",
    )
    assert NOTHING_SAID.class_table(5, "w.pth") == default_class_table(5)
    assert NOTHING_SAID.normalization("w.pth") == Normalization()


def test_colours_of_some_names() -> None:
    record = TrainingRecord(classes=("a", "b"), palette=(None, (1, 2, 3)))
    assert record.class_table(2, "w.pth").palette == (ClassTable(("a", "b")).palette[0], (1, 2, 3))


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c", "d", "e", "f")])
def test_another_number_of_names_than_classes(names: tuple[str, ...]) -> None:
    with pytest.raises(SegppError, match=rf"w\.pth predicts 3 classes, but {len(names)} names? ") as caught:
        TrainingRecord(classes=names).class_table(3, "w.pth")
    assert "--classes" in caught.value.fix


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))],
)
def test_statistics_for_pictures_of_0_to_1_are_refused_with_the_right_ones(
    mean: tuple[float, float, float], std: tuple[float, float, float]
) -> None:
    with pytest.raises(SegppError, match=r"normalisation of w\.pth cannot be") as caught:
        TrainingRecord(mean=mean, std=std).normalization("w.pth")
    expected = f"--mean {','.join(f'{255 * value:g}' for value in mean)} --std"
    with command_line():
        assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("mean", "std"),
    [((-1, 0, 0), (9, 9, 9)), ((300, 0, 0), (9, 9, 9)), ((9, 9, 9), (0, 9, 9)), ((9, 9, 9), (-5, 9, 9))],
)
def test_statistics_that_cannot_be(mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
    with pytest.raises(SegppError, match="cannot be"):
        TrainingRecord(mean=mean, std=std).normalization("w.pth")


@pytest.mark.parametrize(("mean", "std"), [((0, 0, 0), (1, 1, 1)), ((0, 0, 0), (255, 255, 255))])
def test_unusual_statistics_that_can_be(mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
    assert TrainingRecord(mean=mean, std=std).normalization("w.pth") == Normalization(mean, std)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "\ufeffStraße\r\n道路\r\n\r\n"),
        ("names.json", '["Straße", "道路"]'),
        ("config.json", '{"id2label": {"1": "道路", "0": "Straße"}, "model_type": "segformer"}'),
        ("names.yaml", "- {name: Straße, color: [1, 2, 3]}\n- 道路\n"),
        ("names.yml", "0: Straße\n1: 道路\n"),
    ],
)
def test_class_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    found = read_class_file(tmp_path / name)
    assert found.classes == ("Straße", "道路")
    assert found.palette == (((1, 2, 3) if "color" in text else None), None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("names.txt", "\n\n", "holds no class names"),
        ("names.txt", "a\n  \nb", "holds an empty class name"),
        ("names.json", '{"0": "a", "2": "b"}', "the indices are not"),
        ("names.json", "3", "neither a list"),
        ("names.yaml", "- {color: [1, 2, 3]}", "cannot be read as class names"),
        ("names.yaml", "- {name: a, color: [1, 2, 300]}", "is not"),
        ("names.yaml", "- [a, b]", "neither a name nor a mapping"),
        ("names.yaml", "a: [", "cannot be read as class names"),
    ],
)
def test_class_files_of_another_form(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SegppError, match=message) as caught:
        read_class_file(tmp_path / name)
    assert "one name a line" in caught.value.expected
