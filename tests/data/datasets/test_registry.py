"""KIND:PATH opens the right data set, and every mistake in it has its own message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segpp_deploy.data.datasets.registry import KINDS, parse_dataset
from segpp_deploy.errors import SegppError


@pytest.mark.parametrize(
    ("text", "suggestion"), [("camvit:x", "camvid"), ("cityscape:x", "cityscapes"), ("Folder:x", "folder")]
)
def test_unknown_kind(text: str, suggestion: str) -> None:
    with pytest.raises(SegppError, match="Unknown data set kind") as caught:
        parse_dataset(text)
    assert caught.value.fix == f"Did you mean {suggestion!r}?"
    assert all(kind in caught.value.expected for kind in KINDS)


@pytest.mark.parametrize("kind", ["ade20k", "camvid", "cityscapes", "folder"])
def test_kinds_on_disk_need_an_existing_directory(kind: str, tmp_path: Path) -> None:
    for text in (kind, f"{kind}:"):
        with pytest.raises(SegppError, match=f"{kind}' needs a path"):
            parse_dataset(text)
    with pytest.raises(SegppError, match="No such directory"):
        parse_dataset(f"{kind}:{tmp_path / 'none'}")
    (tmp_path / "file").touch()
    with pytest.raises(SegppError, match="is not a directory"):
        parse_dataset(f"{kind}:{tmp_path / 'file'}")
    with pytest.raises(SegppError, match="No such directory"):
        parse_dataset(f"{kind}:{tmp_path}")


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_must_leave_a_sample(limit: int) -> None:
    with pytest.raises(SegppError, match=f"--limit {limit}"):
        parse_dataset("scenes", limit)


def test_home_is_expanded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_picture: Callable[..., Path],
    write_label_file: Callable[..., Path],
) -> None:
    write_picture("streets/images/a.png")
    write_label_file("streets/labels/a.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(parse_dataset("folder:~/streets")) == 1


def test_limit_keeps_the_first(
    tmp_path: Path, write_picture: Callable[..., Path], write_label_file: Callable[..., Path]
) -> None:
    for name in ("c", "a", "b"):
        write_picture(f"images/{name}.png")
        write_label_file(f"labels/{name}.png")
    assert [s.name for s in parse_dataset(f"folder:{tmp_path}", limit=2)] == ["a", "b"]
