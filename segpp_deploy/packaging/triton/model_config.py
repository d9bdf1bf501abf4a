"""A model's `config.pbtxt`."""

from __future__ import annotations

from typing import Any

from segpp_deploy.config import Precision
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.packaging.triton.protobuf_text import Fields, Word, format_message
from segpp_deploy.packaging.triton.served_model import BackendName, ServedModel, capability_of

_TYPES = {"uint8": "TYPE_UINT8", "int32": "TYPE_INT32", "int64": "TYPE_INT64", "float32": "TYPE_FP32"}
_QUEUE_DELAY_US = 100  # far below any engine's latency, and enough for requests that come at once
_WARMUP_RUNS = 3


def format_config(model: ServedModel) -> str:
    """Return the text of a model's configuration.

    Every field that Triton would fill in by itself, and differently with each backend, is said.
    """
    manifest = model.manifest
    joins = {"dynamic_batching": {"max_queue_delay_microseconds": _QUEUE_DELAY_US}} if model.max_batch else {}
    return format_message(
        {
            "name": model.name,
            "backend": str(model.backend.name),
            "max_batch_size": model.max_batch,
            **_file_names(model),
            "input": [_tensor(manifest.input, model)],
            "output": [_tensor(spec, model) for spec in manifest.outputs],
            **joins,
            "instance_group": [{"count": 1, "kind": Word("KIND_GPU" if model.backend.on_gpu else "KIND_CPU")}],
            "parameters": [{"key": key, "value": {"string_value": value}} for key, value in _parameters(model).items()],
            "model_warmup": [_warmup(model)],
        }
    )


def _file_names(model: ServedModel) -> Fields:
    if len(model.engines) == 1:
        return {"default_model_filename": next(iter(model.files))}
    by_capability = [{"key": capability_of(engine), "value": name} for name, engine in model.files.items()]
    return {"cc_model_filenames": by_capability}


def _tensor(spec: TensorSpec, model: ServedModel) -> Fields:
    return {"name": spec.name, "data_type": Word(_TYPES[spec.dtype]), "dims": _dims(spec, model, open_batch=-1)}


def _dims(spec: TensorSpec, model: ServedModel, open_batch: int) -> list[int]:
    """Return a shape without the batch where Triton joins requests, else whole."""
    shape = [open_batch if length is None else length for length in spec.shape]
    return shape[1:] if model.max_batch else shape


def _warmup(model: ServedModel) -> Fields:
    spec = model.manifest.input
    image = {"data_type": Word(_TYPES[spec.dtype]), "dims": _dims(spec, model, open_batch=1), "zero_data": True}
    inputs = [{"key": spec.name, "value": image}]
    return {"name": "zeros", "batch_size": 1, "count": _WARMUP_RUNS, "inputs": inputs}


def _parameters(model: ServedModel) -> dict[str, str]:
    """Return what the backend is told, so that it computes as our sessions do."""
    threads, precision = model.manifest.threads, model.manifest.precision
    told: dict[str, Any] = {}
    match model.backend.name:
        case BackendName.ONNXRUNTIME:
            told = {"intra_op_thread_count": threads, "enable_mem_pattern": 0}  # why: see runtimes/onnxruntime/loader
        case BackendName.OPENVINO:
            bf16 = "YES" if precision is Precision.BF16 else None
            told = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "HINT_BF16": bf16}
        case BackendName.TENSORRT:
            pass  # the plan holds its settings
    return {name: str(value) for name, value in told.items() if value is not None}
