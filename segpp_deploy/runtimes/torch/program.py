"""An ONNX graph as PyTorch computes it: one call after the other, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from segpp_deploy.config import Precision, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.runtimes.torch.bfloat16 import dtype_of_inputs
from segpp_deploy.runtimes.torch.fusions import Node, fuse
from segpp_deploy.runtimes.torch.info import TORCH
from segpp_deploy.runtimes.torch.operators import COUNTS, OPERATORS, Results

CustomOps = Mapping[str, Callable[..., Results]]
"""What computes the custom nodes, by the name of the op: a function of its inputs and attributes in their order."""

REFERENCE_OPS: CustomOps = {name: getattr(torch.ops.segpp, op.stem) for name, op in DECLARATIONS.items()}

_SHAPE = "Shape"


@dataclass(frozen=True)
class Step:
    """One call.

    Args:
        name: of the node, which holds its module's path.
        operation: its type.
        function: of the arguments.
        arguments: names of tensors that are computed, constants, or None.
        outputs: names of the results.
        last_uses: names of tensors that nothing reads afterwards.
        dtype: what floating tensors that are computed are brought to; None: they are taken as they come.
    """

    name: str
    operation: str
    function: Callable[..., Results]
    arguments: tuple[str | torch.Tensor | None, ...]
    outputs: tuple[str, ...]
    last_uses: tuple[str, ...]
    dtype: torch.dtype | None


Watch = Callable[[Step], AbstractContextManager[None]]
"""What stands around every call of a run that is profiled."""


class TorchProgram:
    """Runs a graph.

    Args:
        model: with all weights inside.
        device: where.
        precision: FP16 is in the graph; BF16 is made of a float32 graph here, see `bfloat16`.
        custom_ops: see `CustomOps`.

    Raises:
        SegppError: the graph has nodes that no export has.
    """

    def __init__(
        self, model: onnx.ModelProto, device: TorchDevice, precision: Precision, custom_ops: CustomOps = REFERENCE_OPS
    ) -> None:
        self.device = torch.device(str(device))
        self._custom_ops = custom_ops
        self._input = model.graph.input[0].name
        self._outputs = tuple(value.name for value in model.graph.output)
        nodes, constants = _read(model)
        _require_known(nodes)
        nodes = fuse(nodes, constants, keep=self._outputs)
        self.steps = self._make_steps(nodes, constants, precision)

    def run(self, image: torch.Tensor, watch: Watch | None = None) -> list[torch.Tensor]:
        """Return the outputs in the order of the graph.

        Args:
            image: what the graph takes, on the program's device.
            watch: see `Watch`.
        """
        values: dict[str, torch.Tensor] = {self._input: image}
        for step in self.steps:
            with nullcontext() if watch is None else watch(step):
                results = step.function(*_collect(step, values))
            values.update(zip(step.outputs, results if isinstance(results, tuple) else (results,), strict=False))
            for name in step.last_uses:
                values.pop(name, None)
        return [values[name] for name in self._outputs]

    def _make_steps(
        self, nodes: Sequence[Node], constants: Mapping[str, torch.Tensor], precision: Precision
    ) -> tuple[Step, ...]:
        last_readers = {name: index for index, node in enumerate(nodes) for name in node.inputs}
        numbers = _find_numbers(nodes, constants)
        placed: dict[str, torch.Tensor] = {}
        steps = []
        for index, node in enumerate(nodes):
            dtype = dtype_of_inputs(node) if precision is Precision.BF16 else None
            counts = range(len(node.inputs)) if node.outputs[0] in numbers else COUNTS.get(node.op_type, ())
            arguments: list[str | torch.Tensor | None] = []
            for position, name in enumerate(node.inputs):
                if not name:
                    arguments.append(None)
                elif name not in constants:
                    arguments.append(name)
                elif position in counts:
                    arguments.append(constants[name])
                else:
                    if name not in placed:
                        placed[name] = _lay_out(node, constants[name].to(self.device))
                    arguments.append(_in_dtype(placed[name], dtype))
            done = tuple(name for name in dict.fromkeys(node.inputs) if last_readers[name] == index)
            unread = tuple(name for name in node.outputs if name not in last_readers)
            last_uses = tuple(name for name in (*done, *unread) if name not in (*self._outputs, *constants, ""))
            function = self._function(node)
            steps.append(
                Step(node.name, node.op_type, function, tuple(arguments), tuple(node.outputs), last_uses, dtype)
            )
        return tuple(steps)

    def _function(self, node: Node) -> Callable[..., Results]:
        if node.domain == DOMAIN:
            declaration, compute = DECLARATIONS[node.op_type], self._custom_ops[node.op_type]
            missing = [None] * (len(declaration.inputs) - len(node.inputs))
            attributes = [int(node.attributes[name]) for name in declaration.attributes]
            return lambda *inputs: compute(*inputs, *missing, *attributes)
        return partial(OPERATORS[node.op_type], node.attributes)


def load_program(
    content: bytes, where: str, device: TorchDevice, precision: Precision, custom_ops: CustomOps = REFERENCE_OPS
) -> TorchProgram:
    """Return the program of an engine's content; `where` names it in messages.

    Raises:
        SegppError: it is no ONNX graph, or one that `TorchProgram` refuses.
    """
    try:
        model = onnx.load_model_from_string(content)
        whole = bool(model.graph.node and model.graph.input)
    except Exception as error:  # protobuf's errors differ from build to build
        raise _unreadable(where) from error
    if not whole:
        raise _unreadable(where)
    return TorchProgram(model, device, precision, custom_ops)


def _unreadable(where: str) -> SegppError:
    return SegppError(
        f"{TORCH.runtime} cannot load {where}: it holds no ONNX graph.", "a graph that is whole.", "Build it again."
    )


def _read(model: onnx.ModelProto) -> tuple[list[Node], dict[str, torch.Tensor]]:
    """Return the nodes, and every constant on the CPU."""
    constants = {tensor.name: _as_tensor(tensor) for tensor in model.graph.initializer}
    nodes = []
    for proto in model.graph.node:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in proto.attribute}
        if proto.op_type == "Constant" and "value" in attributes:
            constants[proto.output[0]] = _as_tensor(attributes["value"])
        else:
            node = Node(proto.op_type, proto.domain, proto.name, tuple(proto.input), tuple(proto.output), attributes)
            nodes.append(node)
    return nodes, constants


def _as_tensor(tensor: onnx.TensorProto) -> torch.Tensor:
    return torch.from_numpy(np.array(numpy_helper.to_array(tensor)))  # a copy: the file's bytes cannot be written


def _require_known(nodes: Sequence[Node]) -> None:
    known = {DOMAIN: set(DECLARATIONS), "": set(OPERATORS)}
    unknown = sorted({node.op_type for node in nodes if node.op_type not in known.get(node.domain, ())})
    if unknown:
        raise SegppError(
            f"{TORCH.runtime} cannot compute this graph: it has nodes that no export has: {', '.join(unknown)}.",
            "a graph as `export` writes it, in fp32 or fp16.",
            "Build for another target.",
        )


def _find_numbers(nodes: Sequence[Node], constants: Mapping[str, torch.Tensor]) -> set[str]:
    """Return the names of what is computed of shapes alone: a few numbers, which stay on the CPU."""
    found: set[str] = set()
    for node in nodes:
        read = [name for name in node.inputs if name and name not in constants]
        if node.op_type == _SHAPE or (read and all(name in found for name in read)):
            found.update(node.outputs)
    return found


def _lay_out(node: Node, constant: torch.Tensor) -> torch.Tensor:
    """Return weights of convolutions in the layout of what they read: tokens become planes with the channels last."""
    is_weight = node.op_type == "Conv" and constant.dim() == 4
    return constant.to(memory_format=torch.channels_last) if is_weight else constant


def _collect(step: Step, values: Mapping[str, torch.Tensor]) -> list[torch.Tensor | None]:
    found: list[Any] = [values[one] if isinstance(one, str) else one for one in step.arguments]
    return found if step.dtype is None else [_in_dtype(one, step.dtype) for one in found]


def _in_dtype(value: Any, dtype: torch.dtype | None) -> Any:
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(dtype) if is_float and dtype is not None else value
