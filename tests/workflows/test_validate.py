from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Inference, OutputKind, Size, TorchDevice
from segpp_deploy.data.images import read_labels, write_image, write_labels
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation import predictor
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.runtimes.session import Session
from segpp_deploy.runtimes.torch.reference import load_model_for
from segpp_deploy.runtimes.torch.session import TorchSession
from segpp_deploy.workflows.validate.options import Against, ValidateOptions, parse_against
from segpp_deploy.workflows.validate.run import run_validate
from tests.support.video_files import cut
from tests.workflows.fake_session import BrightnessSession, make_metadata


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Two pictures, bright on the right; the labels say so except for the lowest quarter of the second."""
    for number in range(2):
        image = np.zeros((40, 80, 3), np.uint8)
        image[:, 40:] = 255
        labels = (image[..., 0] > 0).astype(np.uint8)
        if number == 1:
            labels[30:] = 1 - labels[30:]
        write_image(tmp_path / f"images/{number}.png", image)
        write_labels(tmp_path / f"labels/{number}.png", labels)
    return f"folder:{tmp_path}"


def use_sessions(monkeypatch: pytest.MonkeyPatch, **sessions: Session) -> None:
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: sessions[Path(engine).stem])


def test_accuracy_at_the_labels_own_size(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = BrightnessSession(make_metadata(batch=3, size=Size(40, 80)))
    use_sessions(monkeypatch, mine=session)
    seen = []
    options = ValidateOptions(Path("mine.engine"), data, against=Against.NONE)
    result = run_validate(options, lambda step, done, total: seen.append((done, total)))
    document = json.loads(to_json(result.to_dict()))
    assert document["images"] == 2
    assert document["pixel_accuracy"] == pytest.approx(7 / 8)
    assert document["miou"] == pytest.approx(7 / 9)
    assert document["per_class_iou"] == {"class_0": pytest.approx(7 / 9), "class_1": pytest.approx(7 / 9)}
    assert document["reference"] is None
    assert seen == [(0, 2), (2, 2)]
    assert session.closed
    assert "| mIoU | 77.78 % |" in to_markdown(result.tables()[0])


def test_against_another_engine(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = BrightnessSession(make_metadata(OutputKind.LOGITS))
    theirs = BrightnessSession(make_metadata(OutputKind.LOGITS), shift=0.25)
    use_sessions(monkeypatch, mine=mine, theirs=theirs)
    reference = run_validate(ValidateOptions(Path("mine"), data, limit=1, against=Path("theirs"))).reference
    assert reference is not None
    assert reference.name == "theirs"
    document = reference.to_dict()
    assert document["name"] == "theirs"
    assert document["pixel_agreement"] == 1.0
    assert document["max_abs_logit_error"] == pytest.approx(0.25)
    assert theirs.closed


@pytest.mark.parametrize(
    "other", [make_metadata(OutputKind.LABELS), make_metadata(OutputKind.LOGITS, size=Size(64, 64))]
)
def test_logits_that_cannot_be_compared(other, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata(OutputKind.LOGITS)), theirs=BrightnessSession(other))
    result = run_validate(ValidateOptions(Path("mine"), data, against=Path("theirs")))
    assert result.reference is not None
    assert json.loads(to_json(result.reference.to_dict()))["max_abs_logit_error"] is None
    assert "not compared" in to_markdown(result.tables()[0])


def test_sliding_windows(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata(OutputKind.LOGITS, size=Size(32, 32))))
    options = ValidateOptions(Path("mine"), data, 1, Inference.SLIDE, against=Path("mine"))
    result = run_validate(options)
    assert result.evaluation.further[0].value > 0.95
    assert result.reference is not None
    assert result.reference.to_dict()["max_abs_logit_error"] == 0.0


@pytest.mark.parametrize("inference", [Inference.WHOLE, Inference.SLIDE])
@pytest.mark.parametrize(("classes", "ignored"), [(255, 255), (256, 65535), (300, 65535)])
def test_many_classes(
    classes: int, ignored: int, inference: Inference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, labels = np.zeros((32, 64, 3), np.uint8), np.zeros((32, 64), np.uint16)
    image[:, 32:], labels[:, 32:] = 255, classes - 1
    image[:8, :8], labels[:8, :8] = 255, ignored
    write_image(tmp_path / "images/a.png", image)
    write_labels(tmp_path / "labels/a.png", labels)
    metadata = make_metadata(OutputKind.LOGITS, size=Size(32, 32), num_classes=classes)
    use_sessions(monkeypatch, mine=BrightnessSession(metadata), other=BrightnessSession(metadata, shift=1.0))
    options = ValidateOptions(Path("mine.engine"), f"folder:{tmp_path}", inference=inference, against=Path("other"))
    document = run_validate(options).to_dict()
    assert document["pixel_accuracy"] > 0.9
    assert document["per_class_iou"][f"class_{classes - 1}"] > 0.9
    assert document["reference"]["pixel_agreement"] > 0.9


def test_other_class_count_than_the_reference(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = BrightnessSession(make_metadata(num_classes=5))
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()), theirs=theirs)
    with pytest.raises(SegppError, match="has 2 classes, theirs has 5"):
        run_validate(ValidateOptions(Path("mine"), data, against=Path("theirs")))
    assert theirs.closed


def test_other_class_count_than_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    with pytest.raises(SegppError, match="The model has 2 classes"):
        run_validate(ValidateOptions(Path("mine"), "scenes:1"))


def test_labels_out_of_range_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "images/a.png", np.zeros((8, 8, 3), np.uint8))
    write_labels(tmp_path / "labels/a.png", np.full((8, 8), 7, np.uint8))
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    with pytest.raises(SegppError, match=r"classes: 7 \(in 1 of 1: .*a\.png\)"):
        run_validate(ValidateOptions(Path("mine"), f"folder:{tmp_path}", against=Against.NONE))


@pytest.mark.parametrize("part", ["images", "labels"])
def test_unreadable_files_are_left_out_of_the_score(
    part: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(tmp_path / part / "1.png", 0.5)
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata(batch=3, size=Size(40, 80))))
    result = run_validate(ValidateOptions(Path("mine"), data, against=Path("mine")))
    document = json.loads(to_json(result.to_dict()))
    assert document["images"] == 1
    assert document["pixel_accuracy"] == 1.0
    assert [failure["source"] for failure in document["failures"]] == ["1"]
    assert "| images | 1 of 2 |" in to_markdown(result.tables()[0])
    with pytest.raises(SegppError, match=r"1 of 2 pictures could not be read and were left out:\n.*1\.png"):
        result.require_complete()


@pytest.mark.parametrize(("most", "message"), [(0, r"0\.png is not a readable"), (1, "2 files cannot be read")])
def test_more_failures_than_allowed(
    most: int, message: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("0", "1"):
        cut(tmp_path / f"images/{name}.png", 0.5)
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    with pytest.raises(SegppError, match=message):
        run_validate(ValidateOptions(Path("mine"), data, against=Against.NONE, max_failures=most))


def test_nothing_can_be_read(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("0", "1"):
        cut(tmp_path / f"images/{name}.png", 0.5)
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    with pytest.raises(SegppError, match="2 of 2 pictures could not be read"):
        run_validate(ValidateOptions(Path("mine"), data, against=Against.NONE))
    with pytest.raises(SegppError, match="--max-failures -1"):
        ValidateOptions(Path("mine"), data, max_failures=-1)


def test_windows_need_logits(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    with pytest.raises(SegppError, match="puts out labels"):
        run_validate(ValidateOptions(Path("mine"), data, inference=Inference.SLIDE))


def test_all_pixels_ignored_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "images/a.png", np.zeros((8, 8, 3), np.uint8))
    write_labels(tmp_path / "labels/a.png", np.full((8, 8), 255, np.uint8))
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    with pytest.raises(SegppError, match=r"Nothing in folder:.* has a label of a class"):
        run_validate(ValidateOptions(Path("mine"), f"folder:{tmp_path}", against=Against.NONE))


def test_what_to_compare_with() -> None:
    assert parse_against("none") is Against.NONE
    assert parse_against("other.engine") == Path("other.engine")


@pytest.fixture
def masks(data: str) -> str:
    """The same with 255 for the second class."""
    folder = Path(data.removeprefix("folder:"))
    for path in (folder / "labels").iterdir():
        write_labels(path, read_labels(path) * np.uint8(255))
    return data


@pytest.mark.parametrize("against", [Against.NONE, Path("mine")])
def test_masks_are_refused_before_anything_is_predicted(
    against: Against | Path, masks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = BrightnessSession(make_metadata())
    use_sessions(monkeypatch, mine=session)
    with pytest.raises(SegppError, match="hold 0 and 255 alone") as caught:
        run_validate(ValidateOptions(Path("mine"), masks, against=against))
    assert caught.value.fix.startswith(f"Name the data set '{masks}?foreground=255'.")
    assert session.shapes == []
    assert session.closed


def test_masks_read_as_the_fix_says_score_the_same(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    expected = run_validate(ValidateOptions(Path("mine"), data, against=Against.NONE)).evaluation
    folder = Path(data.removeprefix("folder:"))
    for path in (folder / "labels").iterdir():
        write_labels(path, read_labels(path) * np.uint8(255))
    found = run_validate(ValidateOptions(Path("mine"), f"{data}?foreground=255", against=Against.NONE))
    assert found.evaluation == expected
    assert found.data == f"{data}?foreground=255"


def test_doubts_are_told_on_the_console_and_in_json(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata(), shift=-300.0))  # nothing is bright
    result = run_validate(ValidateOptions(Path("mine"), data, against=Against.NONE))
    document = json.loads(to_json(result.to_dict()))
    (warning,) = document["warnings"]
    assert "Labels or normalisation do not fit" in warning
    assert document["notes"] == []
    assert result.notes == (f"Warning: {warning}",)


def test_a_class_that_no_label_names_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "images/a.png", np.zeros((8, 8, 3), np.uint8))
    write_labels(tmp_path / "labels/a.png", np.zeros((8, 8), np.uint8))
    use_sessions(monkeypatch, mine=BrightnessSession(make_metadata()))
    result = run_validate(ValidateOptions(Path("mine"), f"folder:{tmp_path}", against=Against.NONE))
    assert result.notes == ("No label names: class_1.",)
    assert result.to_dict()["notes"] == ["No label names: class_1."]


def test_pytorch_runs_in_the_size_of_each_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for name, hw in (("a", (60, 100)), ("b", (100, 60)), ("c", (64, 96))):
        write_image(tmp_path / f"images/{name}.png", random.integers(0, 256, (*hw, 3), np.uint8))
        write_labels(tmp_path / f"labels/{name}.png", random.integers(0, 3, hw).astype(np.uint8))
    wide, tall = (replace(make_metadata(size=size, num_classes=3), seed=0) for size in (Size(64, 96), Size(96, 64)))
    model = load_model_for(wide, None, Path("wide"))
    use_sessions(monkeypatch, wide=TorchSession(model, wide), tall=TorchSession(model, tall))
    result = run_validate(ValidateOptions(Path("wide"), f"folder:{tmp_path}", also=(Path("tall"),)))
    use_sessions(monkeypatch, wide=TorchSession(model, wide))
    alone = run_validate(ValidateOptions(Path("wide"), f"folder:{tmp_path}", against=Against.NONE))
    assert "Pictures by input size: 64x96 2, 96x64 1." in result.findings
    assert result.reference is not None
    assert result.reference.to_dict()["pixel_agreement"] == 1
    assert result.evaluation.headline.value != alone.evaluation.headline.value


def test_a_device_is_for_the_pytorch_model() -> None:
    with pytest.raises(SegppError, match="--device cuda is for the PyTorch model") as caught:
        ValidateOptions(Path("a.engine"), "scenes:1", against=Against.NONE, device=TorchDevice.CUDA)
    assert caught.value.fix == "Leave --device out."
