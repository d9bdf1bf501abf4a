from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from segpp_deploy import files
from segpp_deploy.errors import SegppError
from segpp_deploy.files import (
    MalformedFileError,
    atomic_path,
    read_json,
    read_text,
    read_yaml,
    require_file,
    require_writable,
    walk_files,
    write_text,
)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_files_get_the_usual_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").touch()
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


@pytest.mark.parametrize("name", ["new.txt", "new/folders/new.txt"])
def test_a_writable_place_is_left_as_it_was(name: str, tmp_path: Path) -> None:
    require_writable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_relative_names_are_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    require_writable(Path("a.txt"))
    with pytest.raises(SegppError, match="is a directory"):
        require_writable(Path(""))


def test_places_that_take_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path, tmp_path / "file" / "below.txt"):
        with pytest.raises(SegppError, match="Cannot write") as caught:
            require_writable(target)
        assert caught.value.fix


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SegppError, match="Cannot write"):
        require_writable(tmp_path / "a.txt")


@pytest.mark.parametrize(("kind", "expected"), [("ONNX file", "an ONNX file."), ("video", "a video.")])
def test_the_article_fits(kind: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(SegppError) as caught:
        require_file(tmp_path / "none", kind, "fix")
    assert caught.value.expected == expected


def test_linked_directories_are_walked_and_circles_end(tmp_path: Path) -> None:
    for name in ("store/ulm/1.png", "data/bonn/2.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    data = tmp_path / "data"
    (data / "ulm").symlink_to(tmp_path / "store/ulm")
    (data / "bonn/up").symlink_to(data)
    (tmp_path / "store/ulm/back").symlink_to(data)
    (data / "gone").symlink_to(tmp_path / "nowhere")
    assert [path.relative_to(data).as_posix() for path in walk_files(data)] == ["bonn/2.png", "gone", "ulm/1.png"]
    assert list(walk_files(data / "gone")) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_of_windows_editors(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("stages: größe\n".encode(encoding))
    assert read_text(tmp_path / "a.yaml") == "stages: größe\n"


MALFORMED = {
    "no UTF-8": (b"a: \xff", "can't decode byte 0xff"),
    "nested": (b"[" * 2000, "it is nested too deeply"),
    "control characters": (b"a: b: \x1b[2J", "."),
    "too many digits": (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
    "cut off": (b'{"a": [1, 2', "line 1"),
}


@pytest.mark.parametrize("read", [read_json, read_yaml])
@pytest.mark.parametrize("fault", MALFORMED)
def test_what_is_malformed_is_said_in_one_line(fault: str, read: Callable[[Path], object], tmp_path: Path) -> None:
    content, reason = MALFORMED[fault]
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(MalformedFileError, match=reason) as caught:
        read(tmp_path / "f")
    assert str(caught.value).isprintable()


def test_what_yaml_cannot_construct(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("created: 2026-13-45")
    with pytest.raises(MalformedFileError, match="month must be in"):
        read_yaml(tmp_path / "f")


@pytest.mark.parametrize("read", [read_json, read_yaml])
def test_a_byte_order_mark_is_no_content(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read(tmp_path / "f") == {"a": 1}


def test_too_large_for_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_TEXT_BYTES", 3)
    (tmp_path / "f").write_text("[1, 2]")
    with pytest.raises(MalformedFileError, match="it has 0 MB"):
        read_json(tmp_path / "f")


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="cannot be opened: File name too long"):
        require_file(tmp_path / ("x" * 300), "plan file", "Check the path.")
