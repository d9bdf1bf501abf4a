from __future__ import annotations

import pytest
import torch

from segpp_deploy.config import Arch
from segpp_deploy.errors import SegppError
from segpp_deploy.model.dialects import TABLES, Dialect, detect_table, to_canonical, to_dialect, with_encoder_prefix
from segpp_deploy.model.segformer import ModelSpec, SegFormer
from tests.model.closeness import relative_error
from tests.model.reference_networks import mmseg_logits, nvlabs_logits
from tests.support.random_models import random_model

TOLERANCE = 5e-6
EVERY_DIALECT = pytest.mark.parametrize("dialect", list(Dialect))


def faint_image() -> torch.Tensor:
    """An image whose tokens vary so little that the epsilon of the first layer norm shows in the logits."""
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 0.05


@EVERY_DIALECT
def test_a_state_dict_is_detected_and_returns_unchanged(dialect: Dialect) -> None:
    model = random_model(dialect)
    written = to_dialect(model, dialect)
    table = detect_table(written)
    assert table is TABLES[dialect]
    translation = to_canonical(written, table)
    expected = model.state_dict()
    assert translation.unknown == ()
    assert translation.tensors.keys() == expected.keys()
    assert all(torch.equal(translation.tensors[name], tensor) for name, tensor in expected.items())


@EVERY_DIALECT
@pytest.mark.parametrize("arch", list(Arch))
def test_every_parameter_of_every_backbone_has_one_name_in_the_dialect(dialect: Dialect, arch: Arch) -> None:
    table = TABLES[dialect]
    with torch.device("meta"):
        model = SegFormer(ModelSpec(arch, 3, normalised_stages=table.normalised_stages), plan=None)  # type: ignore[arg-type]
        written = to_dialect(model, dialect)
        translation = to_canonical(written, table)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert {name: tensor.shape for name, tensor in translation.tensors.items()} == shapes
    assert {translation.their_name(name) for name in shapes} == set(written)


@EVERY_DIALECT
def test_writing_a_dialect_copies(dialect: Dialect) -> None:
    model = random_model(dialect)
    written = to_dialect(model, dialect)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for tensor in written.values():
        tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("dialect", "names"),
    [(Dialect.MMSEG, {}), (Dialect.MMPOSE, {"head": "head", "last": "final_layer"})],
)
def test_mmlab_weights_compute_what_their_own_network_computes(dialect: Dialect, names: dict[str, str]) -> None:
    model = random_model(dialect)
    image = faint_image()
    with torch.no_grad():
        assert relative_error(model(image), mmseg_logits(to_dialect(model, dialect), image, **names)) < TOLERANCE


@pytest.mark.parametrize("head_channels", [256, 768])
def test_nvlabs_weights_compute_what_their_own_network_computes(head_channels: int) -> None:
    model = random_model(Dialect.NVLABS, head_channels=head_channels)
    image = faint_image()
    with torch.no_grad():
        assert relative_error(model(image), nvlabs_logits(to_dialect(model, Dialect.NVLABS), image)) < TOLERANCE


@pytest.mark.parametrize(
    ("dialect", "blocks", "embeddings"),
    [
        (Dialect.MMSEG, 1e-6, 1e-6),
        (Dialect.MMPOSE, 1e-6, 1e-6),
        (Dialect.NVLABS, 1e-6, 1e-5),
        (Dialect.HUGGING_FACE, 1e-5, 1e-5),
        (Dialect.TRANSFORMERS, 1e-5, 1e-5),
    ],
)
def test_layer_norms_have_the_epsilon_of_the_dialects_code(dialect: Dialect, blocks: float, embeddings: float) -> None:
    for name, module in random_model(dialect).named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            is_embedding = name.endswith(("patch_embed.norm", "reduction_norm"))
            assert module.eps == (embeddings if is_embedding else blocks), name


@pytest.mark.parametrize(
    ("dialect", "classifier"),
    [(Dialect.MMSEG, None), (Dialect.NVLABS, "head.weight"), (Dialect.HUGGING_FACE, "classifier.weight")],
)
def test_a_bare_backbone_gets_its_prefix(dialect: Dialect, classifier: str | None) -> None:
    table = TABLES[dialect]
    whole = to_dialect(random_model(dialect), dialect)
    bare = {
        name.removeprefix(table.encoder_prefix): tensor
        for name, tensor in whole.items()
        if name.startswith(table.encoder_prefix)
    }
    if classifier:
        bare[classifier] = torch.zeros(1000, 256)
    assert detect_table(bare) is table
    assert table.is_backbone_only(list(bare))
    translation = to_canonical(with_encoder_prefix(bare, table), table)
    assert translation.unknown == ()
    assert all(name.startswith("encoder.") for name in translation.tensors)


def test_the_unused_layer_of_nvlabs_heads_is_ignored() -> None:
    written = to_dialect(random_model(Dialect.NVLABS), Dialect.NVLABS)
    written["decode_head.conv_seg.weight"] = torch.zeros(5, 128, 1, 1)
    assert to_canonical(written, TABLES[Dialect.NVLABS]).unknown == ()


def test_names_of_another_network_are_no_dialect() -> None:
    assert detect_table(["conv1.weight", "layer1.0.conv1.weight", "fc.bias"]) is None


def test_a_head_of_the_other_kind_cannot_be_written() -> None:
    with pytest.raises(SegppError, match=r"without batch norm .* cannot be written as SegFormer") as caught:
        to_dialect(random_model(Dialect.NVLABS), Dialect.MMSEG)
    assert "normalised_stages=True" in caught.value.expected
    assert "nvlabs" in caught.value.fix
