from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.engine.manifest import manifest_path
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging import plugins
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.packaging.triton import client
from segpp_deploy.packaging.triton.containers import TENSORRT_VERSIONS, image_of
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.package.result import PackageResult
from segpp_deploy.workflows.package.run import run_package
from tests.packaging.triton.conftest import BuildStub, FakeEngine, dynamic
from tests.support.tiny_graphs import tiny_metadata

Package = Any


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """package(*engines, name=None) -> what `package --for triton` returns, written to tmp_path/served."""

    def write(*engines: Path, name: str | None = None) -> PackageResult:
        return run_package(PackageOptions(engines, Stack.TRITON, tmp_path / "served", name))

    return write


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written(package: Package, build_stub: BuildStub, tmp_path: Path) -> None:
    engine = build_stub(TargetName.CPU, tiny_metadata(), "street.engine")
    result = package(engine)
    out = tmp_path / "served"
    assert (
        files_in(out)
        == set(result.files)
        == {
            "README.md",
            "client.json",
            "client.py",
            "models/street/1/model.onnx",
            "models/street/config.pbtxt",
            "models/street/labels.txt",
            "package.json",
            "run.env",
            "run.sh",
        }
    )
    assert (out / "models/street/1/model.onnx").read_bytes() == engine.read_bytes()
    assert (out / "models/street/labels.txt").read_text() == "class_0\nclass_1\nclass_2\n"
    assert (out / "client.py").read_text() == Path(client.__file__).read_text()
    assert (out / "run.sh").stat().st_mode & stat.S_IXUSR
    facts = json.loads((out / "client.json").read_text())["street"]
    assert facts["input"] == {"name": "image", "dtype": "uint8", "shape": [1, 64, 96, 3]}
    assert facts["outputs"] == [{"name": "labels", "dtype": "uint8", "shape": [1, 64, 96]}]
    readme = (out / "README.md").read_text()
    assert "| `street` | onnxruntime | fp32 | `image uint8 [1, 64, 96, 3]` | `labels uint8 [1, 64, 96]` |" in readme
    assert "$" not in readme
    assert result.start == "./run.sh"


def test_several_models(package: Package, build_stub: BuildStub, fake_engine: FakeEngine, tmp_path: Path) -> None:
    package(
        fake_engine("gpu fast.engine", "8.9"),
        build_stub(TargetName.CPU, tiny_metadata(), "cpu.engine"),
        fake_engine("other.engine", "12.0"),
        fake_engine("again.engine", "8.9"),
    )
    written = {name for name in files_in(tmp_path / "served") if "/1/" in name}
    assert written == {
        "models/gpu_fast/1/model-8.9.plan",
        "models/gpu_fast/1/model-12.0.plan",
        "models/cpu/1/model.onnx",
        "models/again/1/model.plan",
    }


def test_a_name_of_ones_own(package: Package, build_stub: BuildStub, tmp_path: Path) -> None:
    package(build_stub(TargetName.CPU, tiny_metadata()), name="streets")
    assert 'name: "streets"' in (tmp_path / "served/models/streets/config.pbtxt").read_text()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-a", "größe", "a" * 129])
def test_names_that_triton_cannot_serve(name: str, package: Package, build_stub: BuildStub, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match=re.escape("Triton cannot serve a model called")):
        package(build_stub(TargetName.CPU, tiny_metadata()), name=name)
    assert not (tmp_path / "served").exists()


def test_one_name_is_of_one_model(package: Package, build_stub: BuildStub, fake_engine: FakeEngine) -> None:
    with pytest.raises(SegppError, match="--name both names one model, and these engines are 2"):
        package(build_stub(TargetName.CPU, tiny_metadata()), fake_engine("gpu.engine"), name="both")


def test_names_that_meet(package: Package, build_stub: BuildStub) -> None:
    engines = [build_stub(TargetName.CPU, tiny_metadata(), name) for name in ("a b.engine", "A_b.engine")]
    with pytest.raises(SegppError, match="would both be the model A_b"):
        package(*engines)


def test_tensorrt_rtx_has_no_backend(package: Package, fake_engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="it was built for the target tensorrt-rtx") as error:
        package(fake_engine("a.engine", target=TargetName.TENSORRT_RTX))
    assert error.value.expected == "an engine for one of: tensorrt, cuda, cpu, openvino."
    assert "build-engine" in error.value.fix
    assert "--target tensorrt " in error.value.fix
    assert not (tmp_path / "served").exists()


def test_one_container_has_one_tensorrt(package: Package, fake_engine: FakeEngine) -> None:
    engines = fake_engine("a.engine", version="10.3.0.26"), fake_engine("b.engine", version="10.13.3.9")
    with pytest.raises(SegppError, match=r"a\.engine with 10\.3\.0\.26.*b\.engine with 10\.13\.3\.9"):
        package(*engines)


def test_the_container_has_the_engines_tensorrt(package: Package, fake_engine: FakeEngine, tmp_path: Path) -> None:
    result = package(fake_engine("a.engine", version="10.9.0.34"))
    settings = (tmp_path / "served/run.env").read_text()
    assert settings == "IMAGE=nvcr.io/nvidia/tritonserver:25.04-py3\nGPUS=all\nPLUGINS=''\n"
    assert result.notes == ("The engine was not tried: it needs an NVIDIA GPU of compute capability 8.9.",)


def test_a_tensorrt_that_no_known_container_has(package: Package, fake_engine: FakeEngine, tmp_path: Path) -> None:
    result = package(fake_engine("a.engine", version="10.3.0.30"))
    assert any("whose TensorRT is 10.3.0.30" in note and "TRITON_IMAGE" in note for note in result.notes)
    assert result.start == "TRITON_IMAGE=IMAGE ./run.sh"
    assert (tmp_path / "served/run.env").read_text().startswith("IMAGE=''\n")
    run = subprocess.run([tmp_path / "served/run.sh"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "TRITON_IMAGE" in run.stderr


def test_what_is_told_of_openvino(package: Package, build_stub: BuildStub) -> None:
    result = package(build_stub(TargetName.OPENVINO, dynamic()))
    assert [note.partition(": ")[2] or note for note in result.notes] == [
        result.notes[0],
        "Triton's OpenVINO backend cannot be told to compute in float32, and on CPUs with bfloat16 computes in that.",
        "Triton's OpenVINO backend joins no requests; one request may hold a batch.",
    ]
    assert "which version the container has is not known" in result.notes[0]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that writes its arguments to the file that is returned, one a line."""
    program, said = tmp_path / "bin/docker", tmp_path / "said"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return said


def test_run_starts_the_container(
    package: Package, fake_engine: FakeEngine, docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "libsegpp_plugins.so"
    library.write_bytes(b"library")
    monkeypatch.setattr(plugins, "find_plugin_library", lambda: FakeLibrary(library))
    package(fake_engine("a.engine", plugin_sha256=FakeLibrary.sha256))
    out = tmp_path / "served"
    assert (out / "plugins/libsegpp_plugins.so").read_bytes() == b"library"
    subprocess.run([out / "run.sh", "--log-verbose=1"], check=True)
    words = docker.read_text().splitlines()
    image = image_of("25.10")
    assert words[: words.index(image)] == [
        *("run", "--rm"),
        *("--publish", "127.0.0.1:8000:8000", "--publish", "127.0.0.1:8001:8001", "--publish", "127.0.0.1:8002:8002"),
        *("--volume", f"{out}/models:/models:ro"),
        *("--gpus", "all", "--volume", f"{out}/plugins:/plugins:ro"),
        *("--env", "SEGPP_REGISTER_PLUGINS=libnvinfer.so"),
    ]
    assert words[words.index(image) + 1 :] == [
        "tritonserver",
        "--model-repository=/models",
        "--disable-auto-complete-config",
        "--log-verbose=1",
        "--backend-config=tensorrt,plugins=/plugins/libsegpp_plugins.so",
    ]


def test_run_on_a_cpu(package: Package, build_stub: BuildStub, docker: Path, tmp_path: Path) -> None:
    package(build_stub(TargetName.CPU, tiny_metadata()))
    variables = {
        "TRITON_IMAGE": "mine:1",
        "HTTP_PORT": "9000",
        "SHARED_MEMORY": "1",
        "PATH": f"{docker.parent}/bin:/usr/bin:/bin",
    }
    subprocess.run([tmp_path / "served/run.sh"], check=True, env=variables)
    words = docker.read_text().splitlines()
    assert {"mine:1", "127.0.0.1:9000:8000", "--ipc=host"} <= set(words)
    assert "--gpus" not in words


class FakeLibrary:
    sha256 = "5" * 64

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = self


def test_another_plugin_library(
    package: Package, fake_engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "find_plugin_library", lambda: FakeLibrary(tmp_path / "lib.so"))
    with pytest.raises(SegppError, match=r"built with another plugin library than .*: 666666666666, not 555555555555"):
        package(fake_engine("a.engine", plugin_sha256="6" * 64))
    assert not (tmp_path / "served").exists()


def test_a_damaged_engine(package: Package, build_stub: BuildStub, tmp_path: Path) -> None:
    engine = build_stub(TargetName.CPU, tiny_metadata())
    engine.write_bytes(engine.read_bytes() + b"x")
    with pytest.raises(SegppError, match="is not the file that was built"):
        package(engine)
    assert not (tmp_path / "served").exists()


def test_a_full_directory_stays_as_it_is(package: Package, build_stub: BuildStub, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/mine").write_text("mine")
    with pytest.raises(SegppError, match="is there already"):
        package(build_stub(TargetName.CPU, tiny_metadata()))
    assert files_in(tmp_path / "served") == {"mine"}


def test_from_the_command_line(build_stub: BuildStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = build_stub(TargetName.CPU, tiny_metadata())
    code = run_command(["package", str(engine), "--for", "triton", "-o", str(tmp_path / "served"), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["stack"] == "triton"
    shutil.move(manifest_path(engine), tmp_path / "elsewhere")
    code = run_command(["package", str(engine), "--for", "triton", "-o", str(tmp_path / "again")])
    assert code == 2


def test_known_containers_are_named_by_release() -> None:
    assert all(re.fullmatch(r"2\d\.(0[1-9]|1[0-2])", release) for release in TENSORRT_VERSIONS)
    assert list(TENSORRT_VERSIONS) == sorted(TENSORRT_VERSIONS, reverse=True)
