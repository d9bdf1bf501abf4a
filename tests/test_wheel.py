"""What a wheel carries beside the package: the model cards, the commit, and what `plugins build` needs of `plugins/`.

It is built from a source distribution, as pip does it, where nothing but setuptools is installed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from segpp_deploy.plugin_library.sources import LibraryKind, hash_sources, plugin_sources, source_files
from segpp_deploy.versions import COMMIT_NAME
from tests.plugins.toolchain.conftest import toolkit
from tests.plugins.toolchain.test_cmake import ENTRY_POINTS, exported_names

__all__ = ["toolkit"]

ROOT = Path(__file__).resolve().parent.parent
CARRIED_PLUGINS = Path("segpp_deploy/plugin_sources")
CARRIED_CARDS = Path("segpp_deploy/model_cards")
PACKAGING = ROOT / "segpp_deploy/packaging"
COMMIT = "abc1234"
PLUGIN_FILES = {
    ".": "CMakeLists.txt",
    "cmake": "SegppCommon.cmake SegppCuda.cmake SegppHost.cmake",
    "c_api": "kernels.cpp kernels.h",
    "cuda": "device.h simt.h",
    "kernels": """
        launch.h types.h vector.cuh warp.cuh last_block.cuh selection.cuh start_order.cuh token_grid.cuh
        match_candidate.cuh match_launch.h match_products_fp16.cuh match_products_fp32.cuh match_rows.cuh match_tile.cuh
        token_match.cu token_match.h token_match_kernel.cuh
        token_match_merge.cu token_match_merge.h token_match_merge_kernel.cuh token_select_merge_kernel.cuh
        token_select.cuh token_select_held.cuh token_select_kernel.cuh
        merge_launch.h token_merge.cu token_merge.h token_merge_kernel.cuh token_merge_rows.cuh
        token_mean.cuh token_mean_kernel.cuh token_members.cuh token_sort_kernel.cuh
        token_unmerge.cu token_unmerge.h
        upsample_argmax.cu upsample_argmax.h""",
    "tensorrt": """
        creator.cpp creator.h errors.cpp errors.h exports.cpp exports.map logger.h match_grid.cpp match_grid.h
        match_slot.cpp match_slot.h
        op_declaration.h op_declarations.h operation.h plugin.cpp plugin.h sizes.cpp sizes.h tensor_types.h
        token_match.cpp token_match_merge.cpp token_merge.cpp token_unmerge.cpp upsample_argmax.cpp""",
    "testing/emulator": """
        emulator.h atomics.h block.cpp block.h builtins.h collectives.h explain.cpp explain.h exported.cpp
        fiber.cpp fiber.h history.cpp history.h launch.cpp launch.h mma.cpp mma.h mma_product.h operation.h order.h
        shared.cpp shared.h site.h sync.h warp.cpp""",
}


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="pip has CUDA for Linux only")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel unpacks to."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout, unpacked, wheel = folder / "checkout", folder / "unpacked", folder / "wheel"
    for name in ("segpp_deploy", "models", "plugins", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, checkout / name)
    (checkout / "segpp_deploy" / COMMIT_NAME).write_text(f"{COMMIT}\n")  # as in a source distribution of one
    isolated = install_setuptools_alone(folder / "isolated")
    run_setup(checkout, isolated, "sdist", "--dist-dir", folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(unpacked, filter="data")
    run_setup(next(unpacked.iterdir()), isolated, "build_py", "--build-lib", wheel)
    return wheel


def install_setuptools_alone(folder: Path) -> Path:
    """Return a folder that holds setuptools and no other package, as pip's isolated builds see it."""
    distribution = importlib.metadata.distribution("setuptools")
    folder.mkdir()
    for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        (folder / name).symlink_to(str(distribution.locate_file(name)))
    return folder


def run_setup(folder: Path, isolated: Path, *words: object) -> None:
    command = [sys.executable, "-S", "setup.py", "-q", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(isolated)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_plugin_sources(wheel: Path) -> None:
    expected = {(Path(folder) / name).as_posix() for folder, names in PLUGIN_FILES.items() for name in names.split()}
    assert files_below(wheel / CARRIED_PLUGINS) == expected


@pytest.mark.parametrize("kind", LibraryKind)
def test_plugin_sources_make_the_libraries_of_a_checkout(kind: LibraryKind, wheel: Path) -> None:
    carried = wheel / CARRIED_PLUGINS
    names = [path.relative_to(plugin_sources()) for path in source_files(plugin_sources(), kind)]
    assert [path.relative_to(carried) for path in source_files(carried, kind)] == names
    assert hash_sources(carried, kind) == hash_sources(plugin_sources(), kind)


def test_model_cards(wheel: Path) -> None:
    cards = {path.name for path in (ROOT / "models").iterdir() if path.suffix in {".yaml", ".safetensors"}}
    assert files_below(wheel / CARRIED_CARDS) == cards


def test_the_commit_comes_through_the_source_distribution(wheel: Path) -> None:
    assert (wheel / "segpp_deploy" / COMMIT_NAME).read_text() == f"{COMMIT}\n"


def test_nothing_but_the_package(wheel: Path) -> None:
    assert [path.name for path in wheel.iterdir()] == ["segpp_deploy"]
    of_package = files_below(wheel / "segpp_deploy") - files_below(ROOT / "segpp_deploy")
    carried = (CARRIED_PLUGINS.name, CARRIED_CARDS.name, COMMIT_NAME)
    assert not [name for name in of_package if not name.startswith(carried)]
    assert {"report/templates/page.html.j2", "report/templates/compare.js", "py.typed"} <= files_below(
        wheel / "segpp_deploy"
    )


def build_library(wheel: Path, cache: Path, *options: str, **variables: str) -> dict[str, Any]:
    """Build with the package of the wheel, and once more with this one, for which it must be the same library."""
    answers = []
    for package in (wheel, ROOT):
        command = [sys.executable, "-m", "segpp_deploy", "plugins", "build", *options, "--json", "--quiet"]
        environment = {**os.environ, "PYTHONPATH": str(package), "SEGPP_CACHE": str(cache), **variables}
        done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        answers.append(json.loads(done.stdout))
    built, found = answers
    assert (built["reused"], found["reused"]) == (False, True)
    assert found["path"] == built["path"]
    assert [path.name for path in (cache / "plugins").iterdir()] == [Path(built["path"]).parent.name]
    return built


@pytest.mark.slow
@on_linux
def test_the_product_is_built_from_it(wheel: Path, tmp_path: Path, toolkit: CudaToolkit) -> None:
    answer = build_library(wheel, tmp_path, "--arch", "8.7", CUDACXX=str(toolkit.nvcc))
    assert (answer["architectures"], answer["ptx"], answer["cuda_version"]) == (["87"], "87", toolkit.version)
    library = Path(answer["path"])
    assert library.is_relative_to(tmp_path)
    # Nothing of the static CUDA runtime may answer for the one that TensorRT uses.
    assert exported_names(library) == ENTRY_POINTS
    assert b"tmpxft" not in library.read_bytes(), "names that differ with every build"
    assert "cudart" not in subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout


def test_files_that_packages_are_made_of(wheel: Path) -> None:
    ours = {name for name in files_below(PACKAGING) if not name.endswith((".py", ".pyc"))}
    packed = files_below(wheel / "segpp_deploy/packaging")
    assert {name for name in packed if not name.endswith((".py", ".pyc"))} == ours
    assert "triton/run.sh" in ours
