"""The folder for DeepStream, and its parser: compiled by the folder's own Makefile, and run."""

from __future__ import annotations

import configparser
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import DTypeLike

from segpp_deploy.config import ClassTable, Fit, InputKind, Lowering, OutputForm, OutputKind
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.deepstream.package import package_for_deepstream
from segpp_deploy.packaging.package import write_package
from segpp_deploy.plugin_library.build_tools import find_cxx
from tests.support.plan_files import plugin_library, write_plan
from tests.support.tiny_graphs import tiny_metadata

STAND_IN = Path(__file__).parent / "stand_in"
METADATA = replace(
    tiny_metadata(OutputKind.LABELS_INT32, InputKind.FLOAT255),
    output_form=OutputForm("mask", confidence=True),
    classes=ClassTable(("road", "side\nwalk", "sky")),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package."""
    root = tmp_path_factory.mktemp("deepstream")
    out = root / "out"
    write_package(out, package_for_deepstream([write_plan(root / "street.engine", METADATA)], None), {})
    return out


@pytest.fixture(scope="module")
def parser(folder: Path) -> Path:
    """A program that calls the parser."""
    cxx, program = find_cxx().path, folder.parent / "parse"
    subprocess.run(["make", "-s", "-C", folder, f"DEEPSTREAM={STAND_IN}", f"CXX={cxx}", "CXXFLAGS=-O0"], check=True)
    library = folder / "libsegpp_label_parser.so"
    words = [cxx, "-std=c++17", "-O0", f"-I{STAND_IN}/sources/includes", STAND_IN / "parse.cpp", library]
    subprocess.run([*words, "-o", program], check=True)
    return program


def parse(
    parser: Path, labels: list[int], dtype: DTypeLike, code: int, axes: str, name: str = "mask"
) -> tuple[str, str]:
    """Return what is printed, and what is said in an error."""
    data = np.array(labels, dtype).tobytes()
    done = subprocess.run([parser, str(code), axes, "3", name], input=data, capture_output=True, check=False)
    assert done.returncode == (1 if done.stderr else 0)
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(("dtype", "code"), [(np.int32, 3), (np.int64, 4), (np.uint8, 5)])
@pytest.mark.parametrize("axes", ["2x3", "2x3x1", "1x2x3"])
def test_labels_are_copied(parser: Path, dtype: DTypeLike, code: int, axes: str) -> None:
    assert parse(parser, [0, 1, 2, 2, 1, 0], dtype, code, axes) == ("0 1 2 2 1 0 99 ", "")


@pytest.mark.parametrize(
    ("labels", "dtype", "code"),
    [([3, 255, 0], np.uint8, 5), ([-1, 2**31 - 1, 0], np.int32, 3), ([-(2**40), 2**32, 0], np.int64, 4)],
)
def test_what_is_no_class_is_unlabelled(parser: Path, labels: list[int], dtype: DTypeLike, code: int) -> None:
    assert parse(parser, labels * 2, dtype, code, "2x3")[0] == "-1 -1 0 -1 -1 0 99 "


@pytest.mark.parametrize(
    ("code", "axes", "name", "message"),
    [
        (0, "2x3", "mask", "its NvDsInferDataType is 0, expected 3 (int32), 4 (int64) or 5 (uint8)"),
        (2, "2x3", "mask", "its NvDsInferDataType is 2"),
        (3, "3x2", "mask", "it has the size 3x2, the network 2x3"),
        (3, "3x2x3", "mask", "it has the size 3x2x3"),
        (3, "2", "mask", "it has the size 2,"),
        (3, "2x3", "labels", "output 'mask' cannot be read: the engine has no such output"),
    ],
)
def test_other_outputs_are_refused(parser: Path, code: int, axes: str, name: str, message: str) -> None:
    printed, said = parse(parser, [0] * 18, np.float32, code, axes, name)
    assert not printed
    assert message in said


def test_an_output_that_was_not_copied_is_refused(parser: Path) -> None:
    assert "nvinfer kept no copy of it" in parse(parser, [], np.int32, 3, "2x3")[1]


def read_configuration(folder: Path) -> dict[str, str]:
    config = configparser.ConfigParser()
    config.read(folder / "nvinfer.txt")
    return dict(config["property"])


def test_configuration(folder: Path) -> None:
    said = read_configuration(folder)
    assert said["infer-dims"] == "3;64;96"
    assert (said["network-type"], said["num-detected-classes"], said["batch-size"]) == ("2", "3", "1")
    assert (said["net-scale-factor"], said["model-color-format"], said["maintain-aspect-ratio"]) == ("1.0", "0", "0")
    for key in ("model-engine-file", "labelfile-path"):
        assert (folder / said[key]).is_file()
    assert said["custom-lib-path"] in (folder / "Makefile").read_text()
    assert f"bool {said['parse-segmentation-func-name']}(" in (folder / "label_parser.cpp").read_text()
    assert "onnx-file" not in said  # nvinfer would build another engine from it
    assert (folder / "labels.txt").read_text() == "road\nside walk\nsky\n"


def test_files(folder: Path) -> None:
    names = ["Makefile", "README.md", "label_parser.cpp", "labels.txt", "model.engine", "model.engine.json"]
    assert {path.name for path in folder.iterdir()} >= {*names, "nvinfer.txt", "package.json", "run.sh"}
    assert (folder / "run.sh").stat().st_mode & 0o111
    subprocess.run(["sh", "-n", folder / "run.sh"], check=True)
    assert "The engine could not be run where it was built." in (folder / "README.md").read_text()


def test_a_dynamic_batch_and_padded_pictures(tmp_path: Path) -> None:
    engine = write_plan(tmp_path / "a.engine", replace(METADATA, batch=None, fit=Fit.PAD))
    write_package(tmp_path / "out", package_for_deepstream([engine], "street"), {})
    said = read_configuration(tmp_path / "out")
    assert (said["batch-size"], said["maintain-aspect-ratio"]) == ("8", "1")
    readme = (tmp_path / "out/README.md").read_text()
    assert readme.startswith("# street for DeepStream")
    assert "pads in black" in readme


def test_the_parser_brings_the_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, cxx = plugin_library(tmp_path, monkeypatch), find_cxx().path
    source = '#include <cstdio>\n__attribute__((constructor)) void load() { std::puts("plugins"); }'
    subprocess.run([cxx, "-x", "c++", "-", "-shared", "-fPIC", "-o", library], input=source.encode(), check=True)
    out = tmp_path / "out"
    engine = write_plan(tmp_path / "a.engine", replace(METADATA, lowering=Lowering.PLUGIN))
    write_package(out, package_for_deepstream([engine], None), {})
    subprocess.run(["make", "-s", "-C", out, f"DEEPSTREAM={STAND_IN}", f"CXX={cxx}", "CXXFLAGS=-O0"], check=True)
    program = f"import ctypes; ctypes.CDLL({str(out / 'libsegpp_label_parser.so')!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "plugins\n"
    assert "SEGPP_REGISTER_PLUGINS=libnvinfer.so" in (out / "run.sh").read_text()


def test_the_plugins_are_those_of_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin_library(tmp_path, monkeypatch, sha256="1" * 64)
    engine = write_plan(tmp_path / "a.engine", replace(METADATA, lowering=Lowering.PLUGIN))
    with pytest.raises(SegppError, match="another plugin library"):
        package_for_deepstream([engine], None)


def test_bytes_are_mentioned(tmp_path: Path) -> None:
    engine = write_plan(tmp_path / "a.engine", replace(METADATA, output_kind=OutputKind.LABELS))
    (note,) = package_for_deepstream([engine], None).notes
    assert "export labels of 32 bits" in note
