"""What `export` refuses before the long part begins, and what it takes where nothing is said."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
from safetensors.torch import save_file

from segpp_deploy import api
from segpp_deploy.cli.export import export
from segpp_deploy.cli.main import run_command
from segpp_deploy.config import (
    Arch,
    ChannelOrder,
    LabelsLayout,
    OutputForm,
    OutputKind,
    Preset,
    Size,
    TaskName,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.exporting import export as graph_export
from segpp_deploy.graph.exporting.export import ExportedGraph, GraphOptions
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.model.weights import download
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, Expected, ModelSource, SeedSource
from segpp_deploy.tasks.registry import TASKS
from segpp_deploy.workflows.export import run
from segpp_deploy.workflows.export.options import ExportOptions, parse_source, parse_stated
from segpp_deploy.workflows.export.run import run_export
from tests.support.exporting import request
from tests.support.random_models import random_model

BAD_INPUT = 2  # exit code
CARD, WEIGHTS = "segformer_b0_scenes", Path("b0.pth")


@pytest.fixture(autouse=True)
def no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(*arguments: object) -> None:
        raise AssertionError("the error came too late")

    monkeypatch.setattr(graph_export, "trace", trace)


def test_the_command_and_the_function_have_one_default_mode() -> None:
    default = inspect.signature(export).parameters["mode"].default
    assert default == ExportOptions(Path("a.onnx"), SeedSource(0)).mode == str(Preset.ORIGINAL)


@pytest.mark.parametrize("name", [".", "file/below.onnx"])
def test_an_unwritable_output(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(SegppError, match="Cannot write"):
        run_export(ExportOptions(Path(name), SeedSource(0)))


@pytest.mark.parametrize("mode", [Preset.DOWNSAMPLE, Preset.ORIGINAL])
def test_a_size_too_small_for_the_mode(mode: Preset, tmp_path: Path) -> None:
    size = Size(32, 32) if mode is Preset.DOWNSAMPLE else Size(16, 64)
    with pytest.raises(SegppError, match="too small"):
        run_export(ExportOptions(tmp_path / "a.onnx", SeedSource(0), mode=str(mode), size=size))


def test_an_output_that_does_not_fit_the_task(tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "a.onnx", SeedSource(0, task=TaskName.POSE), output_kind=OutputKind.LABELS)
    with pytest.raises(SegppError, match="does not fit a pose model"):
        run_export(options)


def test_the_form_of_the_output_reaches_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[GraphOptions] = []

    def export_graph(model: SegFormer, request: GraphOptions, target: Path) -> ExportedGraph:
        asked.append(request)
        raise SegppError("Enough.", "nothing more.", "Leave it.")

    monkeypatch.setattr(run, "export_graph", export_graph)
    words = ["--random-weights", "0", "--output", "labels-int32", "--output-layout", "nhwc", "--output-name", "mask"]
    assert run_command(["export", *words, "-o", str(tmp_path / "a.onnx")]) == BAD_INPUT
    ends = {"output_kind": "labels-int32", "output_layout": "nhwc", "output_name": "mask"}
    with pytest.raises(SegppError, match="Enough"):
        api.export(tmp_path / "a.onnx", random_weights=0, **ends)  # type: ignore[arg-type]
    expected = OutputKind.LABELS_INT32, OutputForm("mask", LabelsLayout.NHWC)
    assert [(request.output_kind, request.output_form) for request in asked] == [expected] * 2


def test_an_output_name_is_checked_before_tracing(tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "a.onnx", SeedSource(0), output_form=OutputForm("two words"))
    with pytest.raises(SegppError, match="--output-name 'two words' cannot be"):
        run_export(options)


@pytest.mark.parametrize("task", list(TaskName))
def test_sizes_where_no_card_says_one(task: TaskName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(module: object, hw: tuple[int, int], batch: int | None) -> None:
        raise KeyboardInterrupt(hw)

    monkeypatch.setattr(graph_export, "trace", trace)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_export(ExportOptions(tmp_path / "a.onnx", SeedSource(0, task=task)))
    assert caught.value.args == (TASKS[task].default_size.hw,)


@pytest.mark.parametrize(
    ("named", "source"),
    [
        ((CARD, None, None), CardSource(CARD)),
        ((CARD, WEIGHTS, None), CardSource(CARD, WEIGHTS)),
        ((None, WEIGHTS, None), CheckpointSource(WEIGHTS)),
        ((None, None, 0), SeedSource(0)),
    ],
)
def test_every_kind_of_source(named: tuple[str | None, Path | None, int | None], source: ModelSource) -> None:
    assert parse_source(*named) == source


def test_what_is_said_of_weights_is_expected_of_them_or_made() -> None:
    said = {"arch": Arch.B1, "task": TaskName.POSE, "num_outputs": 5}
    expected = Expected(Arch.B1, 5, TaskName.POSE)
    assert parse_source(CARD, None, None, **said) == CardSource(CARD, None, expected)
    assert parse_source(None, WEIGHTS, None, **said) == CheckpointSource(WEIGHTS, expected)
    assert parse_source(None, None, 7, **said) == SeedSource(7, Arch.B1, TaskName.POSE, 5)


def test_no_source_and_two_sources() -> None:
    with pytest.raises(SegppError, match="No model was named") as caught:
        parse_source(None, None, None)
    assert "--checkpoint FILE" in caught.value.fix
    for model, checkpoint in ((CARD, None), (None, WEIGHTS)):
        with pytest.raises(SegppError, match="exclude each other"):
            parse_source(model, checkpoint, 0)


def test_the_user_is_told_of_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    monkeypatch.setattr(download, "_download", lambda url, target: target.write_bytes(b"no weights"))
    told: list[str] = []
    with pytest.raises(SegppError, match="is no checkpoint"):
        run_export(ExportOptions(tmp_path / "a.onnx", CardSource("segformerpp_b5_cityscapes")), told.append)
    assert [line.split()[0] for line in told] == ["Downloading", "First"]


@pytest.mark.parametrize("size", [None, Size(64, 96)])
def test_what_nobody_said_is_assumed_and_kept(
    size: Size | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_graph(model: SegFormer, request: GraphOptions, target: Path) -> ExportedGraph:
        metadata = graph_export.describe_graph(model.spec, model.plan, request)
        return ExportedGraph(target, metadata, "", ("a note of the plan",))

    monkeypatch.setattr(run, "export_graph", export_graph)
    save_file(to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG), tmp_path / "w.safetensors")
    stated = parse_stated(mean="0,0,0", std="255,255,255", channel_order=ChannelOrder.BGR)
    source = CheckpointSource(tmp_path / "w.safetensors", stated=stated)
    result = run_export(ExportOptions(tmp_path / "a.onnx", source, size=size))
    assumed = ["class names class_0 to class_4", *([] if size else ["size 512x1024"])]
    assert result.to_dict()["assumed"] == assumed
    assert result.notes[1:] == (f"Assumed: {', '.join(assumed)}.", "a note of the plan")
    assert (result.to_dict()["mean"], result.to_dict()["std"]) == ([0.0] * 3, [255.0] * 3)
    again = ExportMetadata.from_properties(result.metadata.to_properties(), "a.onnx")
    assert again == result.metadata


@pytest.mark.parametrize("mean", ["1,2", "1;2;3", "1,2,nan", "a,b,c", ""])
def test_statistics_that_are_no_three_numbers(mean: str) -> None:
    with pytest.raises(SegppError, match="is not three numbers") as caught:
        parse_stated(mean=mean)
    assert caught.value.fix == "--mean 123.675,116.28,103.53"


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports are checked and described, and nothing is traced."""

    def export_graph(model: SegFormer, request: GraphOptions, target: Path) -> ExportedGraph:
        graph_export._check_request(model, request)
        metadata = graph_export.describe_graph(model.spec, model.plan, request)
        return ExportedGraph(target, metadata, "", ("from the plan",))

    monkeypatch.setattr(run, "export_graph", export_graph)


@pytest.mark.usefixtures("described")
def test_one_output_becomes_two_classes() -> None:
    source = SeedSource(0, num_outputs=1, stated=parse_stated(threshold=0.8))
    exported = run_export(ExportOptions(Path("a.onnx"), source, size=Size(64, 64)))
    assert exported.metadata.classes.names == ("background", "foreground")
    assert exported.metadata.threshold == 0.8
    assert exported.notes[0] == "One output: foreground where its sigmoid is above 0.8, background elsewhere."


@pytest.mark.parametrize("threshold", [0.0, 1.0, math.nan])
def test_thresholds_that_are_none(threshold: float) -> None:
    with pytest.raises(SegppError, match=f"--threshold {threshold} is not between 0 and 1"):
        parse_stated(threshold=threshold)


def test_one_output_and_no_threshold(tmp_path: Path) -> None:
    model = load_source(SeedSource(0, num_outputs=1)).model
    with pytest.raises(SegppError, match="nothing says from which value on it means foreground"):
        graph_export.export_graph(model, request(Size(64, 64), 2), tmp_path / "a.onnx")


@pytest.mark.usefixtures("described")
@pytest.mark.parametrize(("classes", "output"), [(255, OutputKind.LABELS), (256, OutputKind.LOGITS)])
def test_logits_of_more_classes_than_bytes_number(classes: int, output: OutputKind) -> None:
    source = SeedSource(0, num_outputs=classes)
    exported = run_export(ExportOptions(Path("a.onnx"), source, size=Size(64, 64)))
    assert exported.metadata.output_kind is output
    notes = [note for note in exported.notes if note != "from the plan"]
    assert len(notes) == (output is OutputKind.LOGITS)
    assert all("256 classes don't fit into labels of one byte" in note for note in notes)


def test_labels_of_more_classes_than_bytes_number(tmp_path: Path) -> None:
    options = ExportOptions(tmp_path / "a.onnx", SeedSource(0, num_outputs=256), output_kind=OutputKind.LABELS)
    with pytest.raises(SegppError, match="the model has 256 classes") as caught:
        run_export(options)
    assert caught.value.fix == "--output logits"
