"""images/ and labels/ are matched by name; what has no partner is listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.errors import SegppError

Write = Callable[..., Path]


def test_pairs_by_stem_whatever_the_suffix(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("images/b.jpg")
    write_picture("images/a.png", np.full((8, 12, 3), (10, 20, 30), np.uint8))
    write_label_file("labels/a.png", 2)
    write_label_file("labels/b.png", 3)
    (tmp_path / "images/notes.txt").touch()
    dataset = parse_dataset(f"folder:{tmp_path}")
    assert [s.name for s in dataset] == ["a", "b"]
    assert dataset.classes is None
    example = dataset.samples[0].load(4)
    image, labels = example.image, example.target
    assert (image == (10, 20, 30)).all()
    assert (labels == 2).all()


def test_split(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    for split in ("train", "val"):
        write_picture(f"images/{split}/{split}_1.png")
        write_label_file(f"labels/{split}/{split}_1.png")
    assert [s.name for s in parse_dataset(f"folder:{tmp_path}#val")] == ["val_1"]
    assert [s.name for s in parse_dataset(f"folder:{tmp_path}")] == ["train/train_1", "val/val_1"]
    with pytest.raises(SegppError, match=r"No such directory: .*images/test"):
        parse_dataset(f"folder:{tmp_path}#test")


def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(SegppError, match="No pictures in"):
        parse_dataset(f"folder:{tmp_path}")


def test_missing_partners_are_listed(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    for name in "abcde":
        write_picture(f"images/{name}.png")
    write_label_file("labels/a.png")
    write_label_file("labels/z.png")
    with pytest.raises(SegppError) as caught:
        parse_dataset(f"folder:{tmp_path}")
    assert "4 without labels (b, c, d and 1 more); 1 labels without a picture (z)." in str(caught.value)


def test_two_pictures_of_one_name(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("images/a.png")
    write_picture("images/a.jpg")
    write_label_file("labels/a.png")
    with pytest.raises(SegppError, match=r"a\.jpg and a\.png .* same name"):
        parse_dataset(f"folder:{tmp_path}")


def test_problems_of_a_sample_show_when_it_is_loaded(
    tmp_path: Path, write_picture: Write, write_label_file: Write
) -> None:
    write_picture("images/a.png")
    write_label_file("labels/a.png", 0, size=(8, 11))
    write_picture("images/b.png")
    write_label_file("labels/b.png", 9)
    first, second = parse_dataset(f"folder:{tmp_path}")
    with pytest.raises(SegppError, match=r"8x12.*8x11"):
        first.load(5)
    with pytest.raises(SegppError, match=r"labels/b\.png holds the label value 9"):
        second.load(5)
