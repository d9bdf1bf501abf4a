"""Cities that lie on another disk count like those that lie here, and one that is not there is not passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.data.images import list_images
from segpp_deploy.errors import SegppError

Write = Callable[..., Path]
PARTS = (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds"))


@pytest.fixture
def root(tmp_path: Path, write_picture: Write, write_label_file: Write) -> Path:
    """One city lies in the data set, one is linked."""
    for city, place in (("bonn", "data"), ("ulm", "store")):
        write_picture(f"{place}/leftImg8bit/val/{city}/{city}_0_leftImg8bit.png")
        write_label_file(f"{place}/gtFine/val/{city}/{city}_0_gtFine_labelIds.png", 7)
    for part, _ in PARTS:
        (tmp_path / f"data/{part}/val/ulm").symlink_to(tmp_path / f"store/{part}/val/ulm")
    return tmp_path / "data"


def test_linked_directories_are_followed(root: Path) -> None:
    assert [sample.name for sample in parse_dataset(f"cityscapes:{root}")] == ["bonn/bonn_0", "ulm/ulm_0"]


def test_a_directory_that_holds_itself(root: Path) -> None:
    (root / "leftImg8bit/val/bonn/again").symlink_to(root / "leftImg8bit/val")
    assert len(parse_dataset(f"cityscapes:{root}")) == 2


def test_a_link_that_leads_nowhere_is_an_error(root: Path) -> None:
    (root / "leftImg8bit/val/rome").symlink_to("not/mounted")
    with pytest.raises(SegppError, match=r"1 links in .*val lead nowhere, e\.g\. rome -> not/mounted"):
        parse_dataset(f"cityscapes:{root}")


def test_pictures_that_are_links(tmp_path: Path, write_picture: Write) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").symlink_to(write_picture("store/a.png"))
    (tmp_path / "in/b.png").symlink_to("nowhere")
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    assert [path.name for path in list_images(tmp_path / "linked")] == ["a.png", "b.png"], "b is missed when it is read"


def test_files_that_hold_no_readable_picture_are_named(root: Path) -> None:
    for name in ("a.raw", "a.json", ".b.raw"):
        (root / "leftImg8bit/val/bonn" / name).touch()
    with collect_findings() as findings:
        parse_dataset(f"cityscapes:{root}")
    assert findings.notes() == (f"Not read in {root / 'leftImg8bit/val'}: .raw: 1 (a.raw).",)
