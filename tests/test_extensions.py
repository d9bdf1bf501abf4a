"""Each kind of extension needs the files that its page names and no other: its example is added to a copy and run.

A page lists the places in a numbered list, and holds the text of each: new files in blocks ```python PATH, the one line
in a block ```diff PATH, whose other lines say where it goes.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segpp_deploy
from segpp_deploy.config import OutputKind, Preset, Size
from segpp_deploy.data.images import write_image
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support.exporting import SCENE_SIZE
from tests.support.tiny_graphs import tiny_metadata, write_tiny

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("segpp_deploy", "models/*.yaml", "pyproject.toml", "tests/__init__.py", "tests/ops")
BLOCK = re.compile(r"^```(python|diff) (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"^\d+\. (?:A line in )?`([^`]+)`", re.MULTILINE)
BAD_INPUT = 2  # exit code
RUN_LINES = """
import contextlib, io, json, sys
from segpp_deploy.cli.main import run_command

printed = []
for line in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as told:
        code = run_command(line)
    if code:
        sys.exit(f"{line}: {code}")
    printed.append(told.getvalue())
print(json.dumps(printed))
"""


@dataclass(frozen=True)
class Extension:
    """One example of a page: its name stands where the page's list says NAME."""

    page: str
    name: str

    @property
    def text(self) -> str:
        return (ROOT / "docs" / self.page).read_text()

    @property
    def new_files(self) -> dict[str, str]:
        blocks = BLOCK.findall(self.text)
        return {path: text for kind, path, text in blocks if kind == "python" and path in self.listed}

    @property
    def line(self) -> tuple[str, str, str]:
        """The file, the lines that stand there, and the same with the new one."""
        blocks = [(path, text) for kind, path, text in BLOCK.findall(self.text) if kind == "diff"]
        ((path, text),) = [block for block in blocks if re.search(rf'^\+.*"{self.name}"', block[1], re.MULTILINE)]
        lines = text.splitlines(keepends=True)
        return path, "".join(line[1:] for line in lines if line[0] == " "), "".join(line[1:] for line in lines)

    @property
    def listed(self) -> set[str]:
        return {place.replace("NAME", self.name) for place in PLACE.findall(self.text)}


SIGNS = Extension("adding-a-dataset.md", "signs")
HANDS = Extension("adding-a-dataset.md", "hands")
TOY = Extension("adding-a-target.md", "toy")
TOKEN_SCALE = Extension("adding-an-op.md", "token_scale")
ALL = (SIGNS, HANDS, TOY, TOKEN_SCALE)


class Copy:
    """A copy of the package with one extension; commands run in it, and write outside it but for bytecode."""

    def __init__(self, root: Path, work: Path, extension: Extension) -> None:
        self.root, self.work = root, work
        copy_package(root)
        for place, text in extension.new_files.items():
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_text(text)
        place, before, after = extension.line
        registry = (root / place).read_text()
        assert registry.count(before) == 1, f"the block of {place} in {extension.page} does not fit the file"
        (root / place).write_text(registry.replace(before, after))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.root), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.work, env=environment, capture_output=True, text=True, check=False
        )

    def run(self, *lines: Sequence[str]) -> list[str]:
        """Run command lines that must work, one after the other in one process; return what each prints."""
        result = self.python("-c", RUN_LINES, json.dumps(lines))
        assert result.returncode == 0, result.stderr
        printed: list[str] = json.loads(result.stdout)
        return printed

    def run_json(self, *arguments: str) -> dict[str, Any]:
        (printed,) = self.run([*arguments, "--json"])
        document: dict[str, Any] = json.loads(printed)
        return document


def build_here(work: Path, metadata: ExportMetadata) -> str:
    """Build an engine of three nodes with the package itself, and return its name in `work`."""
    engine = work / "tiny.engine"
    segpp_deploy.build(write_tiny(work / "tiny.onnx", metadata), engine, target="cpu")
    return engine.name


def copy_package(root: Path) -> None:
    for pattern in COPIED:
        for source in ROOT.glob(pattern):
            target = root / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(source, target)


def texts_in(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Copy:
    """The copy with the extension of the test."""
    (tmp_path / "work").mkdir()
    return Copy(tmp_path / "copy", tmp_path / "work", request.param)


def with_extension(extension: Extension) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("copy", [extension], ids=[extension.name], indirect=True)


@pytest.mark.parametrize("extension", ALL, ids=lambda extension: extension.name)
def test_the_page_names_all_that_differs(extension: Extension, tmp_path: Path) -> None:
    Copy(tmp_path / "copy", tmp_path, extension)
    copy_package(tmp_path / "package")
    package, extended = texts_in(tmp_path / "package"), texts_in(tmp_path / "copy")
    assert package.keys() <= extended.keys()
    new = extended.keys() - package.keys()
    ((changed, line),) = [
        (place, [line for line in difflib.ndiff(*texts) if line[0] in "+-"])
        for place in package
        if (texts := [tree[place].decode(errors="replace").splitlines() for tree in (package, extended)])[0] != texts[1]
    ]
    assert (len(line), line[0][0]) == (1, "+")
    assert extension.listed == {*new, changed}


def test_no_block_is_left_over() -> None:
    blocks = {path for extension in ALL for _, path, _ in BLOCK.findall(extension.text)}
    assert blocks == {place for extension in ALL for place in extension.listed}


@pytest.mark.slow
@with_extension(SIGNS)
def test_segmentation_data_set(copy: Copy) -> None:
    for index in range(2):
        scene = generate_scene(index, Size(64, 96))
        masks = np.choose(scene.labels % 4, [0, 10, 20, 200]).astype(np.uint8)
        for folder, name, pixels in (("photos", f"{index}", scene.image), ("masks", f"{index}_mask", masks)):
            (copy.work / "data" / folder / "val").mkdir(parents=True, exist_ok=True)
            write_image(copy.work / "data" / folder / "val" / f"{name}.png", pixels)
    engine = build_here(copy.work, tiny_metadata())
    found = copy.run_json("validate", engine, "--data", "signs:data", "--against", "none")
    assert (found["data"], found["images"], len(found["per_class_iou"])) == ("signs:data#val", 2, 3)
    assert 0 <= found["miou"] <= 1

    engine = build_here(copy.work, tiny_metadata(num_classes=4))
    refused = copy.python("-m", "segpp_deploy", "validate", engine, "--data", "signs:data")
    assert refused.returncode == BAD_INPUT
    assert "data set signs:data#val has 3" in refused.stderr


@pytest.mark.slow
@with_extension(HANDS)
def test_keypoint_data_set(copy: Copy) -> None:
    write_image(copy.work / "hand.png", generate_scene(0, Size(64, 96)).image)
    hand = {"picture": "hand.png", "box": [10, 5, 60, 55], "points": [[20, 20, 1], [30, 40, 1], [50, 50, 0]]}
    write_hands(copy, [hand, hand])
    engine = build_here(copy.work, tiny_metadata(OutputKind.HEATMAPS))
    found = copy.run_json("validate", engine, "--data", "hands:.", "--against", "none")
    assert found["images"] == 2
    assert 0 <= found["pck_0.05"] <= found["pck_0.1"] <= 1

    write_hands(copy, [hand, {**hand, "points": hand["points"][:2]}])
    refused = copy.python("-m", "segpp_deploy", "validate", engine, "--data", "hands:.", "--against", "none")
    assert refused.returncode == BAD_INPUT
    assert "entry 1, has 2 keypoints, the model predicts 3" in refused.stderr


def write_hands(copy: Copy, hands: list[dict[str, Any]]) -> None:
    (copy.work / "hands.json").write_text(json.dumps(hands))


@pytest.mark.slow
@with_extension(TOY)
def test_target(copy: Copy) -> None:
    write_image(copy.work / "street.png", generate_scene(0, Size(64, 96)).image)
    card = CardSource(str(ROOT / "models/segformer_b0_scenes.yaml"))
    run_export(ExportOptions(copy.work / "scenes.onnx", card, mode=str(Preset.FAST), size=SCENE_SIZE))
    engine = "scenes.engine"
    doctor, help_text, _, inspected, validated, timed, _ = copy.run(
        ["doctor", "--json"],
        ["build-engine", "--help"],
        ["build-engine", "scenes.onnx", "--target", "toy", "-o", engine],
        ["inspect", engine, "--json"],
        ["validate", engine, "--data", "scenes:2", "--json"],
        ["bench", engine, "--iterations", "3", "--warmup", "1", "--profile", "--json"],
        ["predict", engine, "street.png", "-o", "predicted"],
    )
    (status,) = [status for status in json.loads(doctor)["targets"] if status["target"] == "toy"]
    assert status["works"]
    assert "tensorrt-rtx|toy" in help_text
    (runs_here,) = json.loads(inspected)["runs_here"]
    assert runs_here["works"]
    assert json.loads(validated)["reference"]["pixel_agreement"] > 0.99
    bench = json.loads(timed)
    assert bench["engines"][0]["target"] == "toy"
    assert [entry["operation"] for entry in bench["engines"][0]["operations"]] == ["Model"]
    assert list((copy.work / "predicted").iterdir())


@pytest.mark.slow
@with_extension(TOKEN_SCALE)
def test_op(copy: Copy) -> None:
    test = copy.root / "tests/ops/test_token_scale.py"
    result = copy.python("-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--rootdir", str(copy.root), str(test))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout
