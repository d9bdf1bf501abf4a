"""`KIND:PATH?OPTION`: spellings, what they do to stored values, and paths that hold the marks themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import TaskName
from segpp_deploy.data.datasets import Dataset, Sample
from segpp_deploy.data.datasets.label_options import DrawnOn, LabelOptions, parse_label_options
from segpp_deploy.data.datasets.labels import LabelFile, label_table
from segpp_deploy.data.datasets.registry import parse_dataset, parse_spec
from segpp_deploy.data.datasets.selection import select_pictures
from segpp_deploy.errors import SegppError
from tests.support.tiny_graphs import tiny_metadata

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("reduce", LabelOptions(reduce=True)),
        ("foreground=255", LabelOptions(foreground=255)),
        ("foreground=1&ignore=7&ignore=9", LabelOptions(foreground=1, ignore=frozenset({7, 9}))),
        ("reduce&labels=upright", LabelOptions(reduce=True, drawn_on=DrawnOn.UPRIGHT)),
    ],
)
def test_spellings(text: str, options: LabelOptions) -> None:
    assert parse_label_options(text, "x") == options
    assert str(options) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Unknown option of a data set ''"),
        ("reduced", "Unknown option of a data set 'reduced'"),
        ("reduce=1", "'reduce=1' is no option"),
        ("foreground", "'foreground' is no option"),
        ("foreground=0", "'foreground=0' is no option"),
        ("ignore=65536", "'ignore=65536' is no option"),
        ("ignore=-1", "'ignore=-1' is no option"),
        ("labels=sideways", "Unknown way to draw labels 'sideways'"),
        ("reduce&foreground=2", "asks for reduce and for foreground"),
    ],
)
def test_mistakes(text: str, what: str) -> None:
    with pytest.raises(SegppError) as caught:
        parse_label_options(text, "'folder:x'")
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("text", "table", "stored", "meant"),
    [
        ("reduce", None, [0, 1, 2, 255], [255, 0, 1, 255]),
        ("foreground=255", None, [0, 255], [0, 1]),
        ("foreground=128", None, [0, 128, 255], [0, 1, 255]),
        ("foreground=255&ignore=128", None, [0, 255, 128], [0, 1, 255]),
        ("ignore=2", None, [0, 1, 2], [0, 1, 255]),
        ("reduce", label_table({5: 0, 6: 1}), [0, 6, 7], [255, 0, 1]),
    ],
)
def test_what_options_do(text: str, table: np.ndarray | None, stored: list[int], meant: list[int]) -> None:
    image = np.zeros((1, len(stored), 3), np.uint8)
    options = parse_label_options(text, "x")
    file = LabelFile("a.png", lambda: np.array([stored], np.uint8), table, options)
    assert file.load(image, 2).tolist() == [meant]


def test_in_16_bits_what_does_not_count_is_not_moved() -> None:
    file = LabelFile("a.png", lambda: np.array([[1, 256]], np.uint16), options=LabelOptions(reduce=True))
    with pytest.raises(SegppError, match="holds the label value 256"):
        file.load(np.zeros((1, 2, 3), np.uint8), 2)
    many = LabelFile("a.png", lambda: np.array([[0, 1, 300, 65535]], np.uint16), options=LabelOptions(reduce=True))
    assert many.load(np.zeros((1, 4, 3), np.uint8), 300).tolist() == [[65535, 0, 299, 65535]]


def test_a_foreground_is_for_two_classes() -> None:
    file = LabelFile("a.png", lambda: np.zeros((1, 1), np.uint8), options=LabelOptions(foreground=255))
    with pytest.raises(SegppError, match=r"foreground=255 is for models of two classes; this one has 3"):
        file.load(np.zeros((1, 1, 3), np.uint8), 3)


def test_values_that_an_option_leaves_out() -> None:
    file = LabelFile("a.png", lambda: np.array([[0, 7]], np.uint8), options=LabelOptions(foreground=255))
    with pytest.raises(SegppError, match="holds the label value 7") as caught:
        file.load(np.zeros((1, 2, 3), np.uint8), 2)
    assert caught.value.expected == "values 0, 255."


def test_other_numbers_give_the_same_labels(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    labels = np.array([[0, 1, 2, 255]], np.uint8)
    for name, stored in (("ours", labels), ("theirs", np.where(labels == 255, 0, labels + 1).astype(np.uint8))):
        write_picture(f"{name}/images/a.png", (1, 4))
        write_label_file(f"{name}/labels/a.png", stored)
    for text in ("folder:{}/ours", "folder:{}/theirs?reduce"):
        dataset = parse_dataset(text.format(tmp_path))
        assert dataset.name == text.format(tmp_path)
        np.testing.assert_array_equal(dataset.samples[0].load(3).target, labels)


@pytest.mark.parametrize(
    ("text", "path", "split", "options"),
    [
        ("folder:a", "a", None, ""),
        ("folder:a#val", "a", "val", ""),
        ("folder:a?reduce", "a", None, "reduce"),
        ("folder:a#val?reduce", "a", "val", "reduce"),
        ("folder:a?reduce#val", "a", "val", "reduce"),
        ("folder:set #1", "set #1", None, ""),
        ("folder:set #1#val", "set #1", "val", ""),
        ("folder:set #1?reduce", "set #1", None, "reduce"),
        ("folder:set #1#val?reduce", "set #1", "val", "reduce"),
        ("folder:why?", "why?", None, ""),
        ("folder:why?#val?ignore=3", "why?", "val", "ignore=3"),
        ("folder:missing#val", "missing", "val", ""),
        ("scenes:4#train", "4", "train", ""),
        ("scenes#train", "", "train", ""),
    ],
)
def test_a_path_that_exists_wins(
    text: str, path: str, split: str | None, options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "set ", "set #1", "why?"):
        Path(name).mkdir()
    spec = parse_spec(text)
    assert (spec.path, spec.split, str(spec.options)) == (path, split, options)


def test_the_name_of_a_directory_is_no_split(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("set #val/images/a.png")
    write_label_file("set #val/labels/a.png")
    chosen = select_pictures(f"folder:{tmp_path}/set #val", 1, TaskName.SEG, tiny_metadata().classes)
    assert (chosen.data, chosen.warnings) == ("folder", ())


def test_data_sets_without_label_files_take_no_options() -> None:
    with pytest.raises(SegppError, match="scenes has no label files"):
        parse_dataset("scenes:2?reduce")


def test_labels_that_are_reduced_as_it_is(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("images/validation/a.jpg")
    write_label_file("annotations/validation/a.png", 1)
    assert len(parse_dataset(f"ade20k:{tmp_path}?ignore=3")) == 1
    with pytest.raises(SegppError, match="read with 0 as not labelled as it is"):
        parse_dataset(f"ade20k:{tmp_path}?reduce")


def test_advice_without_a_path() -> None:
    dataset = Dataset("mine", (Sample("a", lambda: np.zeros((1, 1, 3), np.uint8)),))
    assert "options=LabelOptions(reduce=True" in dataset.advise(reduce=True)
