#!/usr/bin/env python3
"""Write op_declarations.h from the declarations in segpp_deploy/ops; with --check, only compare."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from segpp_deploy.ops.declaration import DOMAIN, FLOATS, PLUGIN_VERSION, OpDeclaration, Tensor
from segpp_deploy.ops.registry import WITH_PLUGIN

HEADER = Path(__file__).with_name("op_declarations.h")
ELEMENT_TYPES = {FLOATS: "kFloat", ("float32",): "kFloat32", ("int32",): "kInt32", ("uint8",): "kUint8"}


def render_header() -> str:
    """Return the text of the header: one constant `k<Name>` for each op that has a plugin."""
    parts = [
        "// Generated from segpp_deploy/ops by generate.py: do not edit.",
        "#pragma once\n",
        '#include "op_declaration.h"\n',
        "namespace segpp::declarations {\n",
        f'inline constexpr char kDomain[] = "{DOMAIN}";',
        f'inline constexpr char kPluginVersion[] = "{PLUGIN_VERSION}";\n',
        *(_render_op(declaration) for declaration in WITH_PLUGIN.values()),
        "}  // namespace segpp::declarations",
    ]
    return "\n".join(parts) + "\n"


def extent_names(tensor: Tensor) -> list[str]:
    """Return the names of a tensor's extents: its shape in words begins with them.

    Raises:
        ValueError: the shape does not begin with `[A, B, ..]`.
    """
    listed = re.match(r"\[(\w+(?:, \w+)*)\]", tensor.shape)
    if listed is None:
        raise ValueError(f"The shape of {tensor.name!r} does not begin with a list of extents: {tensor.shape!r}.")
    return listed[1].split(", ")


def check_shape_rule(declaration: OpDeclaration) -> None:
    """Check that the shape rule gives what the outputs' extent names say; C++ goes by the names.

    Raises:
        ValueError: they differ.
    """
    extents = {name: 1000 + index for index, name in enumerate(_all_extents(declaration))}
    shapes = [[extents[name] for name in extent_names(tensor)] for tensor in declaration.inputs]
    attributes = {name: extents.get(name, 1) for name in declaration.attributes}
    by_rule = declaration.infer_shapes(shapes, attributes)
    for shape, tensor in zip(by_rule, declaration.outputs, strict=True):
        if shape != [extents[name] for name in extent_names(tensor)]:
            raise ValueError(f"{declaration.name}: the shape rule does not give {tensor.shape!r}.")


def _all_extents(declaration: OpDeclaration) -> list[str]:
    tensors = (*declaration.inputs, *declaration.outputs)
    return sorted({name for tensor in tensors for name in extent_names(tensor)})


def _render_op(declaration: OpDeclaration) -> str:
    check_shape_rule(declaration)
    name = declaration.name
    lines = []
    for side, tensors in (("Inputs", declaration.inputs), ("Outputs", declaration.outputs)):
        prefixes = {f"{name}{_camel_case(tensor.name)}": tensor for tensor in tensors}
        lines += [
            f"inline constexpr std::string_view k{prefix}Extents[] = {{{_quoted(extent_names(tensor))}}};"
            for prefix, tensor in prefixes.items()
        ]
        rows = ", ".join(_render_tensor(prefix, tensor) for prefix, tensor in prefixes.items())
        lines.append(f"inline constexpr TensorDeclaration k{name}{side}[] = {{{rows}}};")
    attributes = "{}"
    if declaration.attributes:
        attributes = f"k{name}Attributes"
        lines.append(f"inline constexpr const char* {attributes}[] = {{{_quoted(declaration.attributes)}}};")
    lines.append(f'inline constexpr OpDeclaration k{name} = {{"{name}", k{name}Inputs, k{name}Outputs, {attributes}}};')
    return "\n".join(["// clang-format off", *lines, "// clang-format on\n"])


def _render_tensor(prefix: str, tensor: Tensor) -> str:
    element_type = ELEMENT_TYPES[tensor.dtypes]
    optional = "true" if tensor.optional else "false"
    return f'{{"{tensor.name}", ElementType::{element_type}, k{prefix}Extents, {optional}}}'


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _quoted(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the header; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the header is not up to date")
    options = parser.parse_args(arguments)
    text = render_header()
    if not options.check:
        HEADER.write_text(text)
        return 0
    if HEADER.read_text() == text:
        return 0
    print(
        f"{HEADER.name} does not fit segpp_deploy/ops. Run: python plugins/tensorrt/{Path(__file__).name}",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
