from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.plugin_library import library, sources
from segpp_deploy.plugin_library.library import LIBRARY_NAMES, PluginLibrary, find_plugin_library, open_library
from segpp_deploy.plugin_library.record import PluginRecord, dump_record, read_record, record_path
from segpp_deploy.plugin_library.sources import LibraryKind, hash_sources, plugin_sources

from .conftest import Computer, write


@pytest.fixture
def folder(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plugin sources that a test may change."""
    folder = computer.root / "plugins"
    for name in ("CMakeLists.txt", "kernels/token_match.cu", "cuda/simt.h", "c_api/kernels.cpp"):
        write(folder / name, name)
    monkeypatch.setattr(library, "plugin_sources", lambda: folder)
    return folder


def put_library(name: str, source_sha256: str, created: str = "2026-01-02T03:04:05+00:00", **changes: object) -> Path:
    """Write what a build leaves behind."""
    path = write(library.libraries_folder() / name / LIBRARY_NAMES[LibraryKind.CUDA], f"machine code of {name}")
    record = PluginRecord(
        kind=LibraryKind.CUDA,
        architectures=("86", "87"),
        ptx="87",
        sha256=sha256_of(path),
        source_sha256=source_sha256,
        cuda_version="13.0.88",
        tensorrt_version="10.14.1",
        compiler="c++ 12.2.0",
        machine=platform.machine(),
        tool_version="0.1.0",
        build_seconds=1.0,
        created=created,
    )
    write(record_path(path), dump_record(record.model_copy(update=changes)))
    return path


def current(folder: Path) -> str:
    return hash_sources(folder, LibraryKind.CUDA)


def test_none_was_built(folder: Path) -> None:
    with pytest.raises(SegppError, match="not built yet") as caught:
        find_plugin_library()
    assert caught.value.fix == "segpp-deploy plugins build"
    with pytest.raises(SegppError) as caught:
        find_plugin_library(LibraryKind.HOST)
    assert caught.value.fix == "segpp-deploy plugins build --host"


def test_the_last_one_of_these_sources(folder: Path) -> None:
    put_library("cuda-1", current(folder), "2026-01-01T00:00:00+00:00")
    newest = put_library("cuda-2", current(folder), "2026-01-03T00:00:00+00:00")
    put_library("cuda-3", "0" * 64, "2026-01-04T00:00:00+00:00")
    found = find_plugin_library()
    assert found.path == newest
    assert found.record.architectures == ("86", "87")


def test_changed_sources_are_said(folder: Path) -> None:
    path = put_library("cuda-1", current(folder))
    write(folder / "kernels/token_match.cu", "faster")
    with pytest.raises(SegppError, match="older than its sources") as caught:
        find_plugin_library()
    assert caught.value.fix.startswith("segpp-deploy plugins build --arch 86,87 ")
    assert f"SEGPP_PLUGIN_LIBRARY={path}" in caught.value.fix


def test_a_named_library_may_be_of_other_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_library("cuda-1", current(folder))
    named = put_library("elsewhere", "0" * 64)
    monkeypatch.setenv("SEGPP_PLUGIN_LIBRARY", str(named))
    assert find_plugin_library().path == named
    monkeypatch.setenv("SEGPP_PLUGIN_LIBRARY", str(named.with_name("none.so")))
    with pytest.raises(SegppError, match=r"none\.so"):
        find_plugin_library()


def test_an_edited_library_is_refused(folder: Path) -> None:
    path = put_library("cuda-1", current(folder))
    path.write_text("other code")
    with pytest.raises(SegppError, match="not the file that its record describes"):
        find_plugin_library()


def test_a_library_of_another_processor_is_refused(folder: Path) -> None:
    put_library("cuda-1", current(folder), machine="riscv64")
    with pytest.raises(SegppError, match="built for riscv64"):
        find_plugin_library()


def test_a_library_without_its_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_library("cuda-1", current(folder))
    record_path(path).unlink()
    with pytest.raises(SegppError, match="not built yet"):
        find_plugin_library()
    monkeypatch.setenv("SEGPP_PLUGIN_LIBRARY", str(path))
    with pytest.raises(SegppError, match="has no record"):
        find_plugin_library()


@pytest.mark.parametrize("text", ["", "no JSON", "{}", '{"schema_version": 2}'])
def test_records_that_cannot_be_read(text: str, folder: Path) -> None:
    path = put_library("cuda-1", current(folder))
    record_path(path).write_text(text)
    with pytest.raises(SegppError, match="cannot be read"):
        read_record(path)


def test_unknown_fields_are_refused(folder: Path) -> None:
    path = put_library("cuda-1", current(folder))
    values = json.loads(record_path(path).read_text())
    record_path(path).write_text(json.dumps({**values, "more": 1}))
    with pytest.raises(SegppError, match="cannot be read"):
        open_library(path)


@pytest.mark.parametrize(
    ("architectures", "ptx", "runs", "does_not"),
    [
        (("87",), "87", ("8.7", "8.9", "12.0"), ("7.5", "8.6")),
        (("80", "86"), None, ("8.0", "8.6", "8.9"), ("8.7", "9.0", "7.5")),  # Orin takes no code for desktops
        (("87",), None, ("8.7",), ("8.9",)),
        ((), None, (), ("8.7",)),
    ],
)
def test_which_gpus_it_runs_on(
    architectures: tuple[str, ...], ptx: str | None, runs: tuple[str, ...], does_not: tuple[str, ...], folder: Path
) -> None:
    found = open_library(put_library("cuda-1", current(folder), architectures=architectures, ptx=ptx))
    assert all(found.runs_on(capability) for capability in runs)
    assert not any(found.runs_on(capability) for capability in does_not)


def test_a_gpu_that_was_left_out(folder: Path) -> None:
    found = open_library(put_library("cuda-1", current(folder)))
    found.require_runs_on("8.7")
    with pytest.raises(SegppError, match=r"compiled for 8\.6, 8\.7, not for 7\.5") as caught:
        found.require_runs_on("7.5")
    assert caught.value.fix == "segpp-deploy plugins build --arch 86,87,75"
    assert isinstance(found, PluginLibrary)


EVERY = set(LibraryKind)
GPU = {LibraryKind.CUDA, LibraryKind.KERNELS}


@pytest.mark.parametrize(
    ("name", "made_of_it"),
    [
        ("CMakeLists.txt", EVERY),
        ("cmake/SegppCommon.cmake", EVERY),
        ("cmake/SegppCuda.cmake", GPU),
        ("cmake/SegppHost.cmake", {LibraryKind.HOST}),
        ("kernels/token_match.cu", EVERY),
        ("cuda/simt.h", EVERY),
        ("tensorrt/exports.map", {LibraryKind.CUDA, LibraryKind.HOST}),
        ("testing/emulator/warp.cpp", {LibraryKind.HOST}),
        ("c_api/kernels.cpp", {LibraryKind.KERNELS, LibraryKind.HOST}),
        ("testing/conformance/driver.cpp", set()),
        ("testing/emulator_tests/races.cpp", set()),
        ("testing/mutations/lost_split.patch", set()),
        ("tensorrt/generate.py", set()),
        ("CMakePresets.json", set()),
        ("README.md", set()),
    ],
)
def test_an_edit_changes_the_libraries_made_of_the_file(
    name: str, made_of_it: set[LibraryKind], tmp_path: Path
) -> None:
    folder = tmp_path / "plugins"
    shutil.copytree(plugin_sources(), folder)
    before = {kind: hash_sources(folder, kind) for kind in LibraryKind}
    with (folder / name).open("a") as file:
        file.write("\n")
    assert {kind for kind in LibraryKind if hash_sources(folder, kind) != before[kind]} == made_of_it


def test_a_renamed_file_counts(folder: Path) -> None:
    before = current(folder)
    (folder / "cuda/simt.h").rename(folder / "cuda/other.h")
    assert current(folder) != before


def test_the_sources_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages/segpp_deploy"
    monkeypatch.setattr(sources, "_PACKAGE", installed)
    monkeypatch.setattr(sources, "_CARRIED", installed / "plugin_sources")
    write(tmp_path / "site-packages/plugins/CMakeLists.txt")  # someone else's
    with pytest.raises(SegppError, match="carries no plugin sources"):
        plugin_sources()
    write(installed / "plugin_sources/CMakeLists.txt")
    assert plugin_sources() == installed / "plugin_sources"


def test_the_sources_of_a_checkout() -> None:
    assert (plugin_sources() / "kernels").is_dir()
    assert plugin_sources().name == "plugins"
