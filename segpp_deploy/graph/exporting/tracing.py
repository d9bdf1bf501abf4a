"""From PyTorch to an ONNX graph that holds one `segpp::*` node per custom op (the plugin form)."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnxscript.values import Opset
from torch import nn

from segpp_deploy.graph.contract import output_names
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.module_paths import name_after_modules
from segpp_deploy.graph.exporting.schemas import PLUGIN_LOOKUP, register_schemas
from segpp_deploy.ops.declaration import DOMAIN, OPSET_VERSION, OpDeclaration
from segpp_deploy.ops.registry import DECLARATIONS

ONNX_OPSET = 20  # the first with one Gelu node instead of five
MAX_BATCH = 256


def trace(module: Deployable, size_hw: tuple[int, int], batch: int | None) -> ir.Model:
    """Trace `module` for images of `size_hw` pixels.

    Args:
        module: the network with the contract's ends.
        size_hw: height and width in pixels.
        batch: images per call, or None for a dynamic batch axis.

    Returns:
        A model with input `image`, outputs named after their kind, standard ops and custom nodes only, each with its
        module's path in its name.
    """
    dynamic_shapes = None if batch else ({0: torch.export.Dim("batch", min=1, max=MAX_BATCH)},)
    # Two images, because tracing takes a dimension of one for a constant.
    example = module.example_input(batch or 2, size_hw)
    return trace_module(module, {"image": example}, _outputs(module), dynamic_shapes)


def trace_module(
    module: nn.Module, examples: Mapping[str, torch.Tensor], outputs: Sequence[str], dynamic_shapes: Any = None
) -> ir.Model:
    """Trace any module of ours.

    Args:
        module: what to trace.
        examples: an example of each input, by name and in order.
        outputs: names of the outputs, in order.
        dynamic_shapes: of the inputs, as `torch.onnx.export` takes them; None: all are fixed.
    """
    model: ir.Model = _export(module, examples, outputs, dynamic_shapes).model
    _mark_plugins(model.graph)
    name_after_modules(model.graph)
    return model


def trace_program(module: Deployable, size_hw: tuple[int, int], batch: int) -> torch.fx.GraphModule:
    """Return what is traced as a PyTorch program, whose nodes have the names of the tensors in the ONNX graph.

    Args:
        module: the network with the contract's ends.
        size_hw: height and width in pixels.
        batch: images per call.
    """
    exported = _export(module, {"image": module.example_input(batch, size_hw)}, _outputs(module), None)
    program: torch.fx.GraphModule = exported.exported_program.module()
    return program


def _outputs(module: Deployable) -> tuple[str, ...]:
    return output_names(module.output_kind, module.confidence)


def _export(
    module: nn.Module, examples: Mapping[str, torch.Tensor], outputs: Sequence[str], dynamic_shapes: Any
) -> Any:
    register_schemas()
    with quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            tuple(examples.values()),
            dynamo=True,
            opset_version=ONNX_OPSET,
            custom_translation_table=_translations(),
            input_names=list(examples),
            output_names=list(outputs),
            dynamic_shapes=dynamic_shapes,
            verbose=False,
        )
    assert program is not None
    return program


def _translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Map each PyTorch op `segpp::stem` to its node, by the one declaration."""
    return {getattr(torch.ops.segpp, op.stem).default: _translation(op) for op in DECLARATIONS.values()}


def _translation(declaration: OpDeclaration) -> Callable[..., Any]:
    node = getattr(Opset(DOMAIN, OPSET_VERSION), declaration.name)
    num_inputs = len(declaration.inputs)

    def translate(*arguments: Any) -> Any:
        # PyTorch passes inputs, then attributes, in the order of the declaration; trailing optionals may be missing.
        tensors = [value for value in arguments[:num_inputs] if value is not None]
        return node(*tensors, **dict(zip(declaration.attributes, arguments[num_inputs:], strict=True)))

    return translate


def _mark_plugins(graph: ir.Graph) -> None:
    for node in graph:
        if node.domain == DOMAIN:
            for name, value in PLUGIN_LOOKUP.items():
                node.attributes.add(ir.AttrString(name, value))


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence the exporter's chatter (missing torchvision, pytree deprecations); errors still raise."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
