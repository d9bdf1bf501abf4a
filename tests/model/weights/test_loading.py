"""Models from every kind of source, and what each says about its model."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from segpp_deploy.config import Arch, ChannelOrder, Normalization, TaskName, default_class_table
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.model.training_facts import TrainingFacts
from segpp_deploy.model.weights.cards import load_card
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, Expected, SeedSource
from segpp_deploy.model.weights.training_record import TrainingRecord
from tests.model.closeness import relative_error
from tests.support.random_models import random_model

CARD = "segformer_b0_scenes"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """B0 with five classes, without metadata."""
    path = tmp_path_factory.mktemp("weights") / "b0.safetensors"
    save_file(to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG), path)
    return path


@pytest.fixture(scope="module")
def one_output() -> SegFormer:
    return random_model(Dialect.MMSEG, outputs=1)


def test_a_seed_gives_one_model_and_leaves_the_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    source = SeedSource(7, Arch.B1, TaskName.POSE, 5)
    first, second = load_source(source), load_source(source)
    assert torch.equal(torch.rand(1), expected)
    spec = first.model.spec
    assert (spec.arch, spec.task, len(first.classes)) == (Arch.B1, TaskName.POSE, 5)
    assert (first.name, first.sha256, first.seed, first.size) == ("random weights, seed 7", "", 7, None)
    others = second.model.parameters()
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(first.model.parameters(), others, strict=True))
    other_seed = load_source(SeedSource(8, Arch.B1, TaskName.POSE, 5)).model
    assert not torch.equal(first.model.head.predict.weight, other_seed.head.predict.weight)


def test_a_checkpoint_that_says_nothing_of_itself(weights: Path) -> None:
    found = load_source(CheckpointSource(weights))
    assert (found.classes, found.normalization) == (default_class_table(5), Normalization())
    assert (found.name, found.sha256, found.seed, found.size) == (str(weights), sha256_of(weights), None, None)
    assert found.training.assumed == ("RGB", "ImageNet mean and deviation", "class names class_0 to class_4")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (("crack",), ("background", "crack")),
        (("intact", "crack"), ("intact", "crack")),
        (None, ("background", "foreground")),
    ],
)
def test_a_checkpoint_of_one_output_has_two_classes(
    named: tuple[str, ...] | None, expected: tuple[str, str], one_output: SegFormer, tmp_path: Path
) -> None:
    meta = {} if named is None else {"dataset_meta": {"classes": named}}
    torch.save({"state_dict": to_dialect(one_output, Dialect.MMSEG), "meta": meta}, tmp_path / "crack.pth")
    found = load_source(CheckpointSource(tmp_path / "crack.pth"))
    assert found.model.spec.is_binary
    assert found.classes.names == expected
    assert found.threshold == 0.3
    assert found.notes == (f"One output: {expected[1]} where its sigmoid is above 0.3, {expected[0]} elsewhere.",)
    assert "threshold 0.3" in found.training.assumed
    assert ("class names background, foreground" in found.training.assumed) == (named is None)


def test_names_of_three_classes_for_one_output(one_output: SegFormer, tmp_path: Path) -> None:
    save_file(to_dialect(one_output, Dialect.MMSEG), tmp_path / "b0.safetensors", {"classes": "a, b, c"})
    with pytest.raises(SegppError, match="predicts 1 class, but 3 names are given"):
        load_source(CheckpointSource(tmp_path / "b0.safetensors"))


@pytest.mark.parametrize(("stated", "recorded", "used"), [(0.8, None, 0.8), (0.8, 0.6, 0.8), (None, 0.6, 0.6)])
def test_who_names_the_threshold(
    stated: float | None, recorded: float | None, used: float, one_output: SegFormer, tmp_path: Path
) -> None:
    config = f"model = dict(decode_head=dict(threshold={recorded}))"
    torch.save({"state_dict": to_dialect(one_output, Dialect.MMSEG), "meta": {"cfg": config}}, tmp_path / "b0.pth")
    found = load_source(CheckpointSource(tmp_path / "b0.pth", stated=TrainingRecord(threshold=stated)))
    assert found.threshold == used
    assert not any("threshold" in line for line in found.training.assumed)


def test_a_threshold_without_use() -> None:
    stated = TrainingRecord(threshold=0.5)
    for source, found in (
        (SeedSource(0, num_outputs=2, stated=stated), "compares 2 outputs"),
        (SeedSource(0, task=TaskName.POSE, num_outputs=1, stated=stated), "is for poses"),
    ):
        with pytest.raises(SegppError, match=f"--threshold was given, but the model {found}") as caught:
            load_source(source)
        assert caught.value.fix == "Leave --threshold out."


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.5, 30.0, math.nan])
def test_thresholds_that_are_none(threshold: float) -> None:
    with pytest.raises(
        SegppError, match=f"The threshold {threshold} of random weights, seed 0 is not between"
    ) as caught:
        load_source(SeedSource(0, num_outputs=1, stated=TrainingRecord(threshold=threshold)))
    assert caught.value.fix == "--threshold 0.5"


def test_one_output_may_be_called_one_class_or_two(one_output: SegFormer, tmp_path: Path) -> None:
    save_file(to_dialect(one_output, Dialect.MMSEG), tmp_path / "b0.safetensors")
    for said in (1, 2):
        found = load_source(CheckpointSource(tmp_path / "b0.safetensors", Expected(num_outputs=said)))
        assert len(found.classes) == 2
    with pytest.raises(SegppError, match="say num-classes 1; 3 was asked for"):
        load_source(CheckpointSource(tmp_path / "b0.safetensors", Expected(num_outputs=3)))


def test_a_card_describes_its_weights() -> None:
    card, found = load_card(CARD), load_source(CardSource(CARD))
    assert (found.classes, found.normalization) == (card.class_table(), Normalization())
    assert (found.name, found.sha256, found.size) == (CARD, card.checkpoint.sha256, card.input_size)
    assert found.training == TrainingFacts()


def test_other_weights_for_a_card_must_fit_it(weights: Path) -> None:
    with pytest.raises(SegppError, match="say num-classes 5; 10 was asked for"):
        load_source(CardSource(CARD, weights))
    own = load_card(CARD)
    assert own.checkpoint.file
    path = own.folder / own.checkpoint.file
    assert load_source(CardSource(CARD, path)).name == str(path)


@pytest.mark.parametrize("expected", [Expected(Arch.B2), Expected(num_outputs=6), Expected(task=TaskName.POSE)])
def test_weights_are_checked_against_what_is_expected(expected: Expected, weights: Path) -> None:
    for source in (CheckpointSource(weights, expected), CardSource(CARD, expected=expected)):
        with pytest.raises(SegppError, match="was asked for"):
            load_source(source)


def test_a_network_trained_on_bgr_takes_rgb(weights: Path) -> None:
    plain = load_source(CheckpointSource(weights))
    swapped = load_source(CheckpointSource(weights, stated=TrainingRecord(channel_order=ChannelOrder.BGR)))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert relative_error(swapped.model(image), plain.model(image.flip(1))) < 5e-6
    assert swapped.training.channel_order is ChannelOrder.BGR
    assert "Trained on BGR" in swapped.notes[0]


def test_the_user_speaks_before_the_card_and_the_card_before_the_file(tmp_path: Path) -> None:
    metadata = {"mean": "1,2,3", "std": "4,5,6", "classes": "a,b,c,d,e"}
    save_file(to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG), tmp_path / "w.safetensors", metadata)
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntitle: t\narch: b0\ntask: seg\ninput_size: 64x64\nlicence: x\nprovenance: y\n"
        "classes: [{name: v}, {name: w}, {name: x}, {name: y}, {name: z}]\ncheckpoint: {file: w.safetensors}\n"
    )
    card = str(tmp_path / "mine.yaml")
    found = load_source(CardSource(card, stated=TrainingRecord(std=(7, 8, 9))))
    assert found.normalization == Normalization((1, 2, 3), (7, 8, 9))
    assert found.classes.names == ("v", "w", "x", "y", "z")
    assert found.training.assumed == ("RGB",)
    assert load_source(CheckpointSource(tmp_path / "w.safetensors")).classes.names == ("a", "b", "c", "d", "e")


def test_names_that_do_not_fit_give_way_to_the_users(tmp_path: Path) -> None:
    save_file(to_dialect(random_model(Dialect.MMSEG), Dialect.MMSEG), tmp_path / "w.safetensors", {"classes": "a,b"})
    with pytest.raises(SegppError, match="predicts 5 classes, but 2 names are given"):
        load_source(CheckpointSource(tmp_path / "w.safetensors"))
    stated = TrainingRecord(classes=tuple("vwxyz"))
    assert load_source(CheckpointSource(tmp_path / "w.safetensors", stated=stated)).classes.names == tuple("vwxyz")


def test_a_card_says_what_its_network_takes(tmp_path: Path) -> None:
    save_file(to_dialect(random_model(Dialect.MMSEG, outputs=1), Dialect.MMSEG), tmp_path / "w.safetensors")
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntitle: t\narch: b0\ntask: seg\ninput_size: 64x64\nlicence: x\nprovenance: y\n"
        "classes: [{name: crack}]\nnormalization: {channel_order: bgr}\nthreshold: 0.7\nreduce_labels: false\n"
        "checkpoint: {file: w.safetensors}\n"
    )
    found = load_source(CardSource(str(tmp_path / "mine.yaml")))
    assert (found.threshold, found.training.channel_order) == (0.7, ChannelOrder.BGR)
    assert (found.training.assumed, found.classes.names) == ((), ("background", "crack"))
