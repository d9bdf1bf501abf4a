from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from segpp_deploy.config import Arch, Size, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.model.weights import cards
from segpp_deploy.model.weights.card_schema import CardNormalization, ModelCard
from segpp_deploy.model.weights.cards import list_cards, load_card, resolve_card_checkpoint

PUBLISHED = {
    "segformerpp_b5_ade20k": (TaskName.SEG, 150, Size(640, 640)),
    "segformerpp_b5_cityscapes": (TaskName.SEG, 19, Size(1024, 1024)),
    "segformerpp_b5_coco": (TaskName.POSE, 17, Size(384, 288)),
    "segformerpp_b5_jbd": (TaskName.POSE, 20, Size(640, 480)),
}
CONTENT: dict[str, Any] = {
    "name": "small",
    "title": "a small model",
    "arch": "b0",
    "task": "seg",
    "classes": [{"name": "road", "color": [128, 64, 128]}, {"name": "sky"}],
    "input_size": "512x1024",
    "checkpoint": {"file": "small.safetensors"},
    "licence": "Apache-2.0",
    "provenance": "made for a test",
}


def write_card(folder: Path, **changes: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return path


def failure(name_or_path: str | Path) -> SegppError:
    with pytest.raises(SegppError) as caught:
        load_card(str(name_or_path))
    assert caught.value.expected
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_published_checkpoints_have_cards(name: str) -> None:
    task, outputs, size = PUBLISHED[name]
    card = load_card(name)
    assert (card.arch, card.task, card.num_outputs, card.input_size) == (Arch.B5, task, outputs, size)
    assert card.normalization == CardNormalization()
    assert card.checkpoint.url
    assert card.checkpoint.url.startswith("https://")
    assert all(entry.color for entry in card.classes)


def test_every_card_here_is_valid_and_its_file_has_the_recorded_hash() -> None:
    names = list_cards()
    assert set(PUBLISHED) <= set(names)
    for name in names:
        card = load_card(name)
        if card.checkpoint.file:
            assert resolve_card_checkpoint(card).is_file()


def test_well_known_entries_of_the_class_tables() -> None:
    city = load_card("segformerpp_b5_cityscapes").class_table()
    assert (city.names[0], city.palette[0]) == ("road", (128, 64, 128))
    assert (city.names[13], city.palette[13]) == ("car", (0, 0, 142))
    ade = load_card("segformerpp_b5_ade20k").class_table()
    assert (ade.names[2], ade.palette[2]) == ("sky", (6, 230, 230))
    assert (ade.names[149], ade.palette[149]) == ("flag", (92, 0, 255))


def test_a_card_is_read_from_a_path(tmp_path: Path) -> None:
    card = load_card(str(write_card(tmp_path)))
    assert card.folder == tmp_path
    assert card.input_size == Size(512, 1024)
    table = card.class_table()
    assert table.names == ("road", "sky")
    assert table.palette[0] == (128, 64, 128)
    assert len(table.palette[1]) == 3  # generated


def test_cards_are_immutable_and_survive_a_round_trip(tmp_path: Path) -> None:
    card = load_card(str(write_card(tmp_path)))
    with pytest.raises(ValidationError):
        card.title = "another"  # type: ignore[misc]
    written = card.model_dump(mode="json")
    assert ModelCard.model_validate(written).model_dump(mode="json") == written


def test_a_folder_of_ones_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(tmp_path)
    monkeypatch.setenv("SEGPP_MODELS", str(tmp_path))
    assert "small" in list_cards()
    assert load_card("small").folder == tmp_path


def test_an_installed_package_reads_the_cards_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "segpp_deploy"
    (package / "model_cards").mkdir(parents=True)
    (package.parent / "models").mkdir()  # another project's
    write_card(package / "model_cards")
    monkeypatch.setattr(cards, "_PACKAGE", package)
    assert list_cards() == ["small"]
    assert load_card("small").folder == package / "model_cards"


def test_an_unknown_name_gets_a_suggestion() -> None:
    assert "Did you mean 'segformerpp_b5_cityscapes'?" in failure("segformerpp_cityscapes").fix


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"arch": "b9"}, "arch"),
        ({"task": "depth"}, "task"),
        ({"classes": []}, "classes"),
        ({"classes": [{"name": "road", "color": [0, 0, 256]}]}, r"classes.0.color.2"),
        ({"classes": [{"name": "road"}, {"name": "road"}]}, "repeat the name 'road'"),
        ({"input_size": "big"}, "HEIGHTxWIDTH"),
        ({"input_size": 512}, "input_size"),
        ({"normalization": {"std": [1, 0, 1]}}, "normalization.std"),
        ({"checkpoint": {"file": "a", "url": "https://b"}}, "either file or url"),
        ({"checkpoint": {"file": "../a"}}, "beside the card"),
        ({"checkpoint": {"url": "ftp://b"}}, "checkpoint.url"),
        ({"checkpoint": {"sha256": "abc"}}, "checkpoint.sha256"),
        ({"licence": None}, "licence"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    path = write_card(tmp_path, **changes)
    error = failure(path)
    assert str(path) in error.what
    assert field in error.what


def test_an_unknown_field_gets_a_suggestion(tmp_path: Path) -> None:
    error = failure(write_card(tmp_path, input_sizes="1x1"))
    assert "input_sizes" in error.what
    assert "Did you mean 'input_size'?" in error.fix


def test_files_that_are_no_card(tmp_path: Path) -> None:
    assert "No such file" in failure(tmp_path / "none.yaml").what
    (tmp_path / "small.yaml").write_text("- a\n- b\n")
    assert "holds no mapping" in failure(tmp_path / "small.yaml").what
    (tmp_path / "small.yaml").write_text("{")
    assert "is not YAML" in failure(tmp_path / "small.yaml").what
    write_card(tmp_path, name="large")
    assert "is called 'large'" in failure(tmp_path / "small.yaml").what


def test_a_checkpoint_beside_the_card_is_found_and_checked(tmp_path: Path) -> None:
    weights = tmp_path / "small.safetensors"
    weights.write_bytes(b"weights")
    card = load_card(str(write_card(tmp_path, checkpoint={"file": weights.name, "sha256": sha256_of(weights)})))
    assert resolve_card_checkpoint(card) == weights
    weights.write_bytes(b"other weights")
    with pytest.raises(SegppError, match=r"small\.safetensors has the SHA-256") as caught:
        resolve_card_checkpoint(card)
    assert "correct sha256 in the card" in caught.value.fix


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    card = load_card(str(write_card(tmp_path)))
    with pytest.raises(SegppError, match=r"No such file: .*small\.safetensors"):
        resolve_card_checkpoint(card)


def test_a_card_without_weights_says_where_to_look(tmp_path: Path) -> None:
    card = load_card(str(write_card(tmp_path, checkpoint={"page": "https://example.org/models"})))
    with pytest.raises(SegppError, match="names no weights") as caught:
        resolve_card_checkpoint(card)
    assert "https://example.org/models" in caught.value.fix
    assert "--checkpoint FILE" in caught.value.fix
