"""A stem in the registry leads to an op's declaration and to its portable body."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args, get_type_hints

import pytest

from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.portable.registry import LOWERINGS, PortableBody
from segpp_deploy.ops.registry import DECLARATIONS, WITH_PLUGIN


def test_declarations() -> None:
    assert all(type(op) is OpDeclaration and op.name == name for name, op in DECLARATIONS.items())
    assert WITH_PLUGIN.items() <= DECLARATIONS.items()


@pytest.mark.parametrize("name", DECLARATIONS)
def test_portable_bodies_have_the_one_signature(name: str) -> None:
    body: Callable[..., object] = LOWERINGS[name]
    assert body.__module__.endswith(f".{DECLARATIONS[name].stem}")
    arguments, result = get_args(PortableBody)
    assert list(get_type_hints(body).values()) == [*arguments, result]
