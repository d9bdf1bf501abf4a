"""What `export` refuses before the long part begins, and what it takes where nothing is said."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch

from segpp_deploy.cli.export import export
from segpp_deploy.config import Arch, OutputKind, Preset, Size, Task
from segpp_deploy.errors import SegppError
from segpp_deploy.graph import export as graph_export
from segpp_deploy.model import download
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import DEFAULT_SIZES, load_source, run_export


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(*arguments: object) -> None:
        raise AssertionError("the error came too late")

    monkeypatch.setattr(graph_export, "trace", trace)


def test_the_command_and_the_function_have_one_default_mode() -> None:
    default = inspect.signature(export).parameters["mode"].default
    assert default == ExportOptions(Path("a.onnx")).mode == str(Preset.ORIGINAL)


@pytest.mark.parametrize("name", [".", "file/below.onnx"])
def test_an_unwritable_output(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(SegppError, match="Cannot write"):
        run_export(ExportOptions(Path(name), random_weights_seed=0))


@pytest.mark.parametrize("mode", [Preset.DOWNSAMPLE, Preset.ORIGINAL])
def test_a_size_too_small_for_the_mode(mode: Preset, tmp_path: Path) -> None:
    size = Size(32, 32) if mode is Preset.DOWNSAMPLE else Size(16, 64)
    with pytest.raises(SegppError, match="too small"):
        run_export(ExportOptions(tmp_path / "a.onnx", mode=str(mode), size=size, random_weights_seed=0))


def test_an_output_that_does_not_fit_the_task(tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "a.onnx", task=Task.POSE, output_kind=OutputKind.LABELS, random_weights_seed=0)
    with pytest.raises(SegppError, match="does not fit a pose model"):
        run_export(options)


def test_no_source_and_two_sources(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No model was named"):
        load_source(ExportOptions(tmp_path / "a.onnx"))
    with pytest.raises(SegppError, match="exclude each other"):
        load_source(ExportOptions(tmp_path / "a.onnx", model="segformer_b0_scenes", random_weights_seed=0))


def test_random_weights_leave_the_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    source = load_source(ExportOptions(Path("a.onnx"), arch=Arch.B1, num_classes=5, random_weights_seed=0))
    assert torch.equal(torch.rand(1), expected)
    assert (source.model.spec.arch, len(source.classes), source.size) == (Arch.B1, 5, DEFAULT_SIZES[Task.SEG])


def test_the_user_is_told_of_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    monkeypatch.setattr(download, "_download", lambda url, target: target.write_bytes(b"no weights"))
    told: list[str] = []
    with pytest.raises(SegppError, match="is no checkpoint"):
        run_export(ExportOptions(tmp_path / "a.onnx", model="segformerpp_b5_cityscapes"), told.append)
    assert [line.split()[0] for line in told] == ["Downloading", "First"]
