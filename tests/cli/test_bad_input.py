"""Bad input through the real command line: exit code 2, three parts, no traceback, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file, save_file

from segpp_deploy.cli.failures import ExitCode
from segpp_deploy.cli.interrupts import MESSAGE
from segpp_deploy.cli.main import run_command
from segpp_deploy.config import Size
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.graph.graph_file import read_graph
from tests.support.requirements import skip_or_fail

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = (
    ROOT / "models/segformer_b0_scenes.safetensors",
    ROOT.parent / "shared/weights/segformer_b0_camvid.safetensors",
)
SIZE = ["--size", "72x100"]  # not multiples of 32

Failing = Callable[..., str]


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Run a command that must fail and return its message."""
    monkeypatch.delenv("SEGPP_DEBUG", raising=False)

    def run(*arguments: str | Path) -> str:
        capsys.readouterr()
        code = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 2, captured
        assert captured.out == ""
        assert "Traceback" not in captured.err
        assert "Internal error" not in captured.err
        assert "\n  Expected: " in captured.err
        assert "\n  Fix: " in captured.err
        return captured.err

    return run


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    found = next((path for path in CHECKPOINTS if path.is_file()), None)
    if found is None:
        skip_or_fail("demo_model", f"none of these weights is here: {', '.join(map(str, CHECKPOINTS))}")
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with model.onnx and model.engine: random weights, 19 classes, 72x100 pixels."""
    folder = tmp_path_factory.mktemp("built")
    onnx_file, engine = folder / "model.onnx", folder / "model.engine"
    assert run_command(["export", "--random-weights", "0", *SIZE, "-q", "-o", str(onnx_file)]) == 0
    assert run_command(["build-engine", str(onnx_file), "--target", "cpu", "-q", "-o", str(engine)]) == 0
    return folder


@pytest.fixture
def engine(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    for name in ("model.onnx", "model.engine", "model.engine.json"):
        shutil.copy(built / name, tmp_path / name)
    return tmp_path / "model.engine"


class RunsCode:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


class TestCheckpoints:
    def test_missing(self, failing: Failing, tmp_path: Path) -> None:
        assert "none.pth" in failing("export", "--checkpoint", tmp_path / "none.pth", "-o", tmp_path / "a.onnx")

    def test_no_source(self, failing: Failing, tmp_path: Path) -> None:
        failing("export", "-o", tmp_path / "a.onnx")

    def test_unknown_card(self, failing: Failing, tmp_path: Path) -> None:
        assert "no_such_model" in failing("export", "no_such_model", "-o", tmp_path / "a.onnx")

    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    @pytest.mark.parametrize("content", [b"", b"not weights" * 100], ids=["empty", "corrupt"])
    def test_no_weights(self, suffix: str, content: bytes, failing: Failing, tmp_path: Path) -> None:
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(content)
        assert path.name in failing("export", "--checkpoint", path, "-o", tmp_path / "a.onnx")

    def test_truncated_pickle(self, failing: Failing, tmp_path: Path) -> None:
        path = tmp_path / "cut.pth"
        torch.save({"weight": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:-500])
        assert "cut.pth" in failing("export", "--checkpoint", path, "-o", tmp_path / "a.onnx")

    def test_truncated_safetensors(self, checkpoint: Path, failing: Failing, tmp_path: Path) -> None:
        path = tmp_path / "cut.safetensors"
        path.write_bytes(checkpoint.read_bytes()[:-5000])
        assert "cut.safetensors" in failing("export", "--checkpoint", path, "-o", tmp_path / "a.onnx")

    @pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
    def test_pickle_that_would_run_code(self, save, failing: Failing, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        save({"state_dict": RunsCode()}, tmp_path / "hostile.pth")
        assert "hostile.pth" in failing("export", "--checkpoint", "hostile.pth", "-o", "a.onnx")
        assert not (tmp_path / "pwned").exists()

    @pytest.mark.parametrize("option", [("--arch", "b5"), ("--num-classes", "150"), ("--task", "pose")])
    def test_other_model_than_stated(self, option, checkpoint: Path, failing: Failing, tmp_path: Path) -> None:
        failing("export", "--checkpoint", checkpoint, *option, "-o", tmp_path / "a.onnx")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_weights_that_are_no_numbers(self, value, checkpoint: Path, failing: Failing, tmp_path: Path) -> None:
        weights = load_file(checkpoint)
        name = next(name for name, array in weights.items() if array.ndim == 2)
        weights[name][0, 0] = value
        save_file(weights, tmp_path / "bad.safetensors")
        message = failing("export", "--checkpoint", tmp_path / "bad.safetensors", "-o", tmp_path / "a.onnx")
        assert name in message


class TestPlans:
    @pytest.mark.parametrize(
        ("side", "part"),
        [
            ("{mode: bsm_r2D, ratio: 0.5, stride: [2, 2]}", "Did you mean 'bsm'?"),
            ("{mode: bsm, ratio: 1.5, stride: [2, 2]}", "1.5"),
            ("{mode: bsm, ratio: 0.5, stride: [0, 2]}", "stride"),
            ("{mode: n2d}", "stride"),
        ],
    )
    def test_wrong_side(self, side: str, part: str, failing: Failing, tmp_path: Path) -> None:
        plan = tmp_path / "plan.yaml"
        plan.write_text(f"stages: [{{q: {side}}}, {{}}, {{}}, {{}}]")
        assert part in failing("export", "--random-weights", "0", "--mode", plan, "-o", tmp_path / "a.onnx")

    def test_unknown_mode(self, failing: Failing, tmp_path: Path) -> None:
        assert "hq-reuse" in failing("export", "--random-weights", "0", "--mode", "hq_reuse", "-o", tmp_path / "a.onnx")


class TestSizes:
    @pytest.mark.parametrize("size", ["16x512", "512", "9000x512", "-1x5", "0x0"])
    def test_impossible(self, size: str, failing: Failing, tmp_path: Path) -> None:
        failing("export", "--random-weights", "0", f"--size={size}", "-o", tmp_path / "a.onnx")

    def test_not_a_multiple_of_32_works(self, built: Path) -> None:
        assert read_graph(built / "model.onnx").metadata.size == Size(72, 100)


class TestEngines:
    def test_missing(self, failing: Failing, tmp_path: Path) -> None:
        for command in (["bench"], ["validate", "--data", "scenes:1"]):
            assert "none.engine" in failing(*command, tmp_path / "none.engine")

    def test_without_manifest(self, engine: Path, failing: Failing) -> None:
        engine.with_name("model.engine.json").unlink()
        assert "build-engine" in failing("bench", engine)

    def test_edited_manifest(self, engine: Path, failing: Failing) -> None:
        manifest = engine.with_name("model.engine.json")
        manifest.write_text(manifest.read_text().replace('"onnxruntime"', '"onnxruntine"'))
        failing("bench", engine)

    def test_other_runtime_version(self, engine: Path, failing: Failing) -> None:
        manifest = engine.with_name("model.engine.json")
        version = json.loads(manifest.read_text())["runtime"]["version"]
        manifest.write_text(manifest.read_text().replace(f'"{version}"', '"0.0.1"'))
        failing("bench", engine)

    def test_edited_engine(self, engine: Path, failing: Failing) -> None:
        engine.write_bytes(engine.read_bytes()[:-10])
        failing("bench", engine)

    def test_not_an_exported_graph(self, failing: Failing, tmp_path: Path) -> None:
        (tmp_path / "text.onnx").write_text("hello")
        failing("build-engine", tmp_path / "text.onnx", "-o", tmp_path / "a.engine")
        assert [path.name for path in tmp_path.iterdir()] == ["text.onnx"]

    def test_unknown_target(self, engine: Path, failing: Failing, tmp_path: Path) -> None:
        message = failing("build-engine", tmp_path / "model.onnx", "--target", "gpu", "-o", tmp_path / "a.engine")
        assert "Unknown target 'gpu'" in message

    def test_impossible_counts(self, engine: Path, failing: Failing) -> None:
        failing("bench", engine, "--iterations", "0")


class TestData:
    def make_pair(self, folder: Path, labels: np.ndarray | None) -> str:
        write_image(folder / "images/a.png", np.zeros((8, 8, 3), np.uint8))
        (folder / "labels").mkdir(exist_ok=True)
        if labels is not None:
            write_labels(folder / "labels/a.png", labels)
        return f"folder:{folder}"

    def validate(self, failing: Failing, engine: Path, data: str) -> str:
        return failing("validate", engine, "--data", data, "--against", "none")

    def test_unknown_kind(self, engine: Path, failing: Failing) -> None:
        assert "Did you mean 'camvid'?" in self.validate(failing, engine, "camvit:data")

    def test_empty(self, engine: Path, failing: Failing, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        (tmp_path / "labels").mkdir()
        self.validate(failing, engine, f"folder:{tmp_path}")

    def test_picture_without_labels(self, engine: Path, failing: Failing, tmp_path: Path) -> None:
        self.validate(failing, engine, self.make_pair(tmp_path, None))

    def test_labels_out_of_range(self, engine: Path, failing: Failing, tmp_path: Path) -> None:
        data = self.make_pair(tmp_path, np.full((8, 8), 99, np.uint8))
        assert "99" in self.validate(failing, engine, data)

    def test_labels_of_another_size(self, engine: Path, failing: Failing, tmp_path: Path) -> None:
        data = self.make_pair(tmp_path, np.zeros((4, 4), np.uint8))
        assert "8x8" in self.validate(failing, engine, data)

    def test_classes_of_another_data_set(self, engine: Path, failing: Failing) -> None:
        assert "19 classes" in self.validate(failing, engine, "scenes:1")

    def test_no_image_left(self, engine: Path, failing: Failing) -> None:
        failing("validate", engine, "--data", "scenes:1", "--limit", "0")

    def test_windows_of_labels(self, engine: Path, failing: Failing, tmp_path: Path) -> None:
        data = self.make_pair(tmp_path, np.zeros((8, 8), np.uint8))
        message = failing("validate", engine, "--data", data, "--inference", "slide", "--against", "none")
        assert "--output logits" in message


class TestPictures:
    @pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"], ids=["empty", "text", "cut"])
    def test_unreadable(self, content: bytes, engine: Path, failing: Failing, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(content)
        assert "bad.png" in failing("predict", engine, tmp_path / "bad.png", "-o", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_libraries_add_nothing_to_the_message(self, engine: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.mp4").write_text("no video" * 100)
        command = [sys.executable, "-m", "segpp_deploy", "predict", engine, tmp_path / "bad.mp4"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert len(ended.stderr.splitlines()) == 3, ended.stderr

    @pytest.mark.parametrize("option", [["-o", "x.gif"], ["-o", "x.jpg", "--labels-png"], ["-o", "file/x.png"]])
    def test_unwritable_names(
        self, option: list[str], engine: Path, failing: Failing, tmp_path: Path, monkeypatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write_image(Path("p.png"), np.zeros((8, 8, 3), np.uint8))
        Path("file").touch()
        assert failing("predict", engine, "p.png", *option).startswith("Cannot write")  # before "Segmenting"

    @pytest.mark.parametrize(
        "pixels",
        [
            np.full((40, 60), 90, np.uint8),
            np.full((40, 60, 4), 90, np.uint8),
            np.full((40, 60, 3), 9000, np.uint16),
            np.full((40, 60), 9000, np.uint16),
        ],
        ids=["grey", "rgba", "16 bit", "16 bit grey"],
    )
    def test_unusual_pictures_work(self, pixels: np.ndarray, engine: Path, tmp_path: Path) -> None:
        assert cv2.imwrite(str(tmp_path / "p.png"), pixels)
        out = tmp_path / "out.png"
        assert run_command(["predict", str(engine), str(tmp_path / "p.png"), "-o", str(out), "-q"]) == 0
        assert cv2.imread(str(out)).shape == (40, 60, 3)


class TestWriting:
    EXPORT = ("export", "--random-weights", "0", *SIZE, "-q", "-o")

    def test_output_below_a_file(self, failing: Failing, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert "Cannot write" in failing(*self.EXPORT, tmp_path / "file/a.onnx")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_unwritable_directory(self, failing: Failing, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert "Cannot write" in failing(*self.EXPORT, tmp_path / "a.onnx")

    def test_full_disk(self, failing: Failing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fill_up(proto: object, path: Path) -> None:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(onnx, "save", fill_up)
        target = tmp_path / "a.onnx"
        target.write_bytes(b"old")
        assert "The disk filled up" in failing(*self.EXPORT, target)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_interrupt_in_the_middle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
        def interrupt(proto: object, path: Path) -> None:
            Path(path).write_bytes(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(onnx, "save", interrupt)
        assert run_command([*self.EXPORT, str(tmp_path / "a.onnx")]) == ExitCode.BAD_INPUT
        assert capsys.readouterr().err == f"{MESSAGE}\n"
        assert list(tmp_path.iterdir()) == []
