"""The C++ library: the same labels as the Python session, under sanitizers; damaged files give words."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.config import OutputKind, Size
from segpp_deploy.engine.open import open_session
from segpp_deploy.packaging.cpp.package import LIBRARY, library_sources
from segpp_deploy.plugin_library.build_tools import find_cxx
from segpp_deploy.plugin_library.cuda_toolkit import find_cuda_headers
from segpp_deploy.plugin_library.tensorrt_headers import HEADERS_WHEEL, pip_include_folders
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.packaging.cpp.onnxruntime_headers import find_headers, require_headers
from tests.support.requirements import needs, skip_or_fail
from tests.support.sharing import make_once
from tests.support.stub_exports import export_stub
from tests.support.tiny_graphs import tiny_metadata

SIZE = Size(64, 96)
PICTURES = 20
DAMAGES = 6_000
HERE = Path(__file__).parent
CXX = find_cxx().path
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
SANITIZED = ["-std=c++17", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = needs("openvino")


@pytest.fixture(scope="module")
def program(shared_folder: Path) -> Path:
    """The example with the library in it, compiled by hand: its CMake files are for users, and take longer."""
    return make_once(shared_folder / "cpp library", compile_program)


def compile_program(folder: Path) -> Path:
    backends = [*openvino_words(), *onnxruntime_words(folder)]
    sources = [source for source in library_sources() if source.suffix == ".cpp" and "_backend" not in source.name]
    words = ['-DSEGPP_TARGETS=""', f"-I{LIBRARY}/include", f"-I{LIBRARY}/src", *sources, *backends]
    subprocess.run([CXX, *SANITIZED, *WARNINGS, *words, "-o", folder / "label_picture"], check=True)
    return folder / "label_picture"


def openvino_words() -> list[object]:
    """Return what the compiler is told of the wheel."""
    import openvino

    root = Path(openvino.__path__[0])
    runtime = next((root / "libs").glob("libopenvino.so.*"))
    source = LIBRARY / "src/openvino_backend.cpp"
    return ["-DSEGPP_WITH_OPENVINO", f"-isystem{root}/include", source, runtime, f"-Wl,-rpath,{root}/libs"]


def onnxruntime_words(folder: Path) -> list[object]:
    """Return what the compiler is told of the wheel's library, under the name that programs look for."""
    import onnxruntime

    headers = find_headers()
    if headers is None:
        return []
    (runtime,) = (Path(onnxruntime.__path__[0]) / "capi").glob("libonnxruntime.so.*")
    link = folder / "libonnxruntime.so.1"
    link.symlink_to(runtime)
    source = LIBRARY / "src/onnxruntime_backend.cpp"
    return ["-DSEGPP_WITH_ONNXRUNTIME", f"-isystem{headers}", source, link, f"-Wl,-rpath,{folder}"]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_stub(tmp_path_factory.mktemp("graph") / "stub.onnx", tiny_metadata(OutputKind.LABELS, size=SIZE))


@pytest.fixture(scope="module", params=[TargetName.OPENVINO, TargetName.CPU])
def engine(request: pytest.FixtureRequest, graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param is TargetName.CPU:
        require_headers()
    path = tmp_path_factory.mktemp("engine") / "stub.engine"
    return run_build(graph, path, BuildOptions(request.param)).path


def label(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TBB_ENABLE_SANITIZERS": "1",  # else OpenVINO's threads load libraries as none allow
        "LSAN_OPTIONS": f"suppressions={HERE / 'leaks.supp'}:print_suppressions=0",
    }
    command = [program, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_labels_are_those_of_python(program: Path, engine: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (PICTURES, *SIZE.hw, 3), np.uint8)
    words: list[Path] = []
    for number, picture in enumerate(pictures):
        words += [tmp_path / f"{number}.ppm", tmp_path / f"{number}.pgm"]
        cv2.imwrite(str(words[-2]), picture[..., ::-1])
    run = label(program, engine, *words)
    assert run.returncode == 0, run.stderr
    session = open_session(engine)
    for picture, path in zip(pictures, words[1::2], strict=True):
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(found, session.run(picture[None])[0])
    session.close()


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("engine cut short", "bytes, not the"),
        ("engine changed", "the engine was changed"),
        ("engine missing", "cannot be read"),
        ("record missing", "cannot be read"),
        ("record edited", "it was changed after the build"),
        ("record of tomorrow", "a record of version 2"),
        ("record cut short", "it is no JSON"),
        ("other target", "was built without what runs engines for cuda"),
        ("other version", " 2000.1, and here is"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    program: Path, engine: Path, tmp_path: Path, what: str, complaint: str
) -> None:
    copy, record = tmp_path / "stub.engine", tmp_path / "stub.engine.json"
    content, text = bytearray(engine.read_bytes()), engine.with_name("stub.engine.json").read_text()
    values = json.loads(text)
    values.pop("checksum")
    if what == "engine cut short":
        del content[-10:]
    elif what == "engine changed":
        content[len(content) // 2] ^= 1
    elif what == "record edited":
        text = text.replace('"threads": null', '"threads": 1')
    elif what == "record cut short":
        text = text[:-20]
    elif what == "record of tomorrow":
        values["schema_version"] = 2
    elif what == "other target":
        values["target"] = "cuda"
    elif what == "other version":
        values["runtime"]["version"] = "2000.1"
    if values != {
        key: value
        for key, value in json.loads(engine.with_name("stub.engine.json").read_text()).items()
        if key != "checksum"
    }:
        checksum = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        text = json.dumps({**values, "checksum": checksum}, indent=2) + "\n"
    if what != "engine missing":
        copy.write_bytes(content)
    if what != "record missing":
        record.write_text(text)
    run = label(program, copy, tmp_path / "a.ppm", tmp_path / "a.pgm")
    assert (run.returncode, run.stdout) == (2, "")
    assert complaint in run.stderr


def test_pictures_of_another_size_are_refused(program: Path, engine: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.ppm"), np.zeros((8, 8, 3), np.uint8))
    run = label(program, engine, tmp_path / "a.ppm", tmp_path / "a.pgm")
    assert run.returncode == 2
    assert "is no PPM (P6) of 96x64 pixels" in run.stderr
    assert not (tmp_path / "a.pgm").exists()


@pytest.mark.parametrize("engine", [TargetName.OPENVINO], indirect=True)
def test_damaged_records_never_kill_the_reader(engine: Path, tmp_path: Path) -> None:
    sources = [HERE / "hostile.cpp", *(LIBRARY / f"src/{name}.cpp" for name in ("json", "manifest", "sha256"))]
    includes = [f"-I{LIBRARY}/include", f"-I{LIBRARY}/src"]
    subprocess.run([CXX, "-O1", *SANITIZED, *includes, *sources, "-o", tmp_path / "hostile"], check=True)
    record = engine.with_name("stub.engine.json")
    run = subprocess.run([tmp_path / "hostile", record, str(DAMAGES)], capture_output=True, text=True, check=True)
    refused, digest = run.stdout.splitlines()
    assert refused == f"{DAMAGES} of {DAMAGES}"
    assert digest == hashlib.sha256(b"abc").hexdigest()


def test_the_part_for_tensorrt_compiles_against_its_headers() -> None:
    headers = pip_include_folders()
    if not headers:
        skip_or_fail("conformance_wheels", f"no headers: pip install --no-deps {HEADERS_WHEEL}")
    includes = [f"-I{LIBRARY}/include", f"-I{LIBRARY}/src"]
    includes += [f"-isystem{folder}" for folder in (*headers, *find_cuda_headers().include_dirs)]
    command = [CXX, "-std=c++17", "-fsyntax-only", *WARNINGS, *includes]
    subprocess.run([*command, LIBRARY / "src/tensorrt_backend.cpp"], check=True)
