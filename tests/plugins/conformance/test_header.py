"""The plugins' declarations in C++ are the ones of `segpp_deploy/ops`."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from segpp_deploy.ops.registry import DECLARATIONS
from tests.plugins.native import PLUGINS


@pytest.fixture
def generator() -> ModuleType:
    """The script that writes the header."""
    specification = importlib.util.spec_from_file_location("generate", PLUGINS / "tensorrt" / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_header_is_up_to_date(generator: ModuleType) -> None:
    assert generator.main(["--check"]) == 0


def test_check_sees_an_edit(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = tmp_path / "op_declarations.h"
    edited.write_text(generator.render_header().replace("stride_y", "stride_h"))
    monkeypatch.setattr(generator, "HEADER", edited)
    assert generator.main(["--check"]) == 1
    assert "Run: python plugins/tensorrt/generate.py" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


@pytest.mark.parametrize("name", list(DECLARATIONS))
def test_every_extent_of_an_output_is_known(generator: ModuleType, name: str) -> None:
    """From an input that is always there, or from an attribute."""
    declaration = DECLARATIONS[name]
    known = {
        extent for tensor in declaration.inputs if not tensor.optional for extent in generator.extent_names(tensor)
    }
    for tensor in declaration.outputs:
        assert set(generator.extent_names(tensor)) <= known | set(declaration.attributes)
    assert not declaration.inputs[0].optional
    assert (
        generator.ELEMENT_TYPES[declaration.inputs[0].dtypes] == "kFloat"
    )  # plugin.cpp takes the type of floats from it


def test_shape_in_words_must_be_the_rule(generator: ModuleType) -> None:
    declaration = DECLARATIONS["TokenMerge"]
    wrong = replace(declaration, outputs=(replace(declaration.outputs[0], shape="[B, C, num_rows]"),))
    with pytest.raises(ValueError, match="TokenMerge: the shape rule does not give"):
        generator.check_shape_rule(wrong)


def test_shape_in_words_must_begin_with_extents(generator: ModuleType) -> None:
    with pytest.raises(ValueError, match="does not begin with a list of extents: 'as the input'"):
        generator.extent_names(replace(DECLARATIONS["TokenMerge"].outputs[0], shape="as the input"))
