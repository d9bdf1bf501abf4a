"""Files of stores, by way of fsspec's store in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from segpp_deploy.data import places
from segpp_deploy.data.places import Place, Uri, delivered, fetched, list_store
from segpp_deploy.errors import SegppError, UnreadableFileError


@pytest.fixture
def store() -> Iterator[Uri]:
    """A directory of a store, with two files and a directory in it."""
    files = fsspec.filesystem("memory")
    files.pipe({"/in/b.txt": b"b", "/in/a.txt": b"a", "/in/below/c.txt": b"c"})
    yield Uri("memory://in")
    files.rm("/", recursive=True)


def test_files_of_a_directory_or_one_itself(store: Uri) -> None:
    assert [str(one) for one in list_store(store)] == ["memory://in/a.txt", "memory://in/b.txt"]
    assert list_store(store / "a.txt") == [store / "a.txt"]
    with pytest.raises(SegppError, match="memory://none cannot be read"):
        list_store(Uri("memory://none"))


def test_a_copy_is_there_as_long_as_it_is_used(store: Uri) -> None:
    with fetched(store / "a.txt") as path:
        assert (path.name, path.read_bytes()) == ("a.txt", b"a")
    assert not path.exists()
    with pytest.raises(UnreadableFileError, match=r"memory://in/none\.txt cannot be read"), fetched(store / "none.txt"):
        pass


def test_what_is_said_of_a_copy_names_the_store(store: Uri) -> None:
    with pytest.raises(UnreadableFileError, match=r"^memory://in/a\.txt is damaged$"), fetched(store / "a.txt") as path:
        raise UnreadableFileError(f"{path} is damaged")


def test_a_file_is_delivered_under_its_name_last(store: Uri, monkeypatch: pytest.MonkeyPatch) -> None:
    files, seen = fsspec.filesystem("memory"), []
    move = files.mv
    monkeypatch.setattr(type(files), "mv", lambda _, one, other: (seen.extend(files.ls("/out")), move(one, other))[1])
    with delivered(Uri("memory://out/new.txt")) as path:
        path.write_bytes(b"new")
    assert files.cat("/out/new.txt") == b"new"
    assert [Path(entry["name"]).name.startswith(".") for entry in seen] == [True]
    assert len(files.ls("/out")) == 1


def test_nothing_is_delivered_of_a_block_that_fails(store: Uri) -> None:
    with contextlib.suppress(ZeroDivisionError), delivered(store / "new.txt") as path:
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert len(list_store(store)) == 2


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    place: Place = tmp_path / "a.txt"
    with delivered(place) as path:
        assert path == place
    with fetched(place) as path:
        assert path == place


def test_stores_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegppError, match="nothing://a cannot be opened"):
        list_store(Uri("nothing://a"))

    def missing(_: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(SegppError, match="library is not installed") as caught:
        places.list_store(Uri("s3://bucket"))
    assert caught.value.fix == "pip install s3fs"
