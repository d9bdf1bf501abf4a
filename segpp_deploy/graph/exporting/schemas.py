"""The custom ops as ONNX schemas, so that the checker and shape inference know them."""

from __future__ import annotations

import atexit
from collections.abc import Callable

import onnx
from onnx import TensorProto, defs, helper
from onnx.shape_inference import InferenceContext

from segpp_deploy.ops.declaration import DOMAIN, FLOATS, OPSET_VERSION, PLUGIN_VERSION, Dim, OpDeclaration, Tensor
from segpp_deploy.ops.registry import DECLARATIONS

PLUGIN_LOOKUP = {"plugin_version": PLUGIN_VERSION, "plugin_namespace": DOMAIN}
"""Attributes by which TensorRT's parser looks a plugin up."""

_ELEMENT_TYPES: dict[str, int] = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
}
_TYPE_NAMES = {
    name: f"tensor({helper.tensor_dtype_to_string(code).split('.')[1].lower()})"
    for name, code in _ELEMENT_TYPES.items()
}


def register_schemas() -> None:
    """Register the schema of every custom op with onnx; a second call does nothing."""
    missing = [declaration for declaration in DECLARATIONS.values() if not defs.has(declaration.name, DOMAIN)]
    for declaration in missing:
        defs.register_schema(build_schema(declaration))
    if missing:
        # onnx drops schemas when the process has ended Python. Where their inference is Python's, as here, versions
        # before 1.23 then wait for ever (1.19) or end the process with a segmentation fault.
        atexit.register(deregister_schemas)


def deregister_schemas() -> None:
    """Undo `register_schemas`."""
    for declaration in DECLARATIONS.values():
        if defs.has(declaration.name, DOMAIN):
            defs.deregister_schema(declaration.name, OPSET_VERSION, DOMAIN)


def build_schema(declaration: OpDeclaration) -> defs.OpSchema:
    """Return the ONNX schema of a declaration."""
    option, kinds = defs.OpSchema.FormalParameterOption, defs.OpSchema.AttrType

    def parameter(tensor: Tensor) -> defs.OpSchema.FormalParameter:
        type_text = "T" if tensor.dtypes == FLOATS else _TYPE_NAMES[tensor.dtypes[0]]
        kind = option.Optional if tensor.optional else option.Single
        return defs.OpSchema.FormalParameter(tensor.name, type_text, tensor.shape, param_option=kind)

    schema = defs.OpSchema(
        declaration.name,
        DOMAIN,
        OPSET_VERSION,
        inputs=[parameter(tensor) for tensor in declaration.inputs],
        outputs=[parameter(tensor) for tensor in declaration.outputs],
        type_constraints=[("T", [_TYPE_NAMES[name] for name in FLOATS], "float types")],
        attributes=[
            *(defs.OpSchema.Attribute(name, kinds.INT, required=True) for name in declaration.attributes),
            *(defs.OpSchema.Attribute(name, kinds.STRING, required=False) for name in PLUGIN_LOOKUP),
        ],
    )
    schema.set_type_and_shape_inference_function(_inference_function(declaration))
    return schema


def _inference_function(declaration: OpDeclaration) -> Callable[[InferenceContext], None]:
    def infer(context: InferenceContext) -> None:
        input_types = [context.get_input_type(index) for index in range(context.get_num_inputs())]
        shapes = [_dims(input_type) for input_type in input_types]
        attributes = {name: context.get_attribute(name).i for name in declaration.attributes}
        inferred = zip(declaration.outputs, declaration.infer_shapes(shapes, attributes), strict=True)
        for index, (tensor, shape) in enumerate(inferred):
            is_float = tensor.dtypes == FLOATS
            element_type = input_types[0].tensor_type.elem_type if is_float else _ELEMENT_TYPES[tensor.dtypes[0]]
            context.set_output_type(index, helper.make_tensor_type_proto(element_type, shape))

    return infer


def _dims(type_proto: onnx.TypeProto | None) -> list[Dim]:
    if type_proto is None:
        return []
    return [
        dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
        for dim in type_proto.tensor_type.shape.dim
    ]
