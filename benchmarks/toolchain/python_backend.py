"""Runs a model's ONNX file in Triton's Python backend; `triton_server` copies it beside the file as `model.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class TritonPythonModel:
    """What the backend makes and calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the file."""
        sys.path.append((HERE / "site_packages").read_text(encoding="utf-8"))  # the interpreter knows no environment
        import onnxruntime

        config: dict[str, Any] = json.loads(args["model_config"])
        self._joins = config["max_batch_size"] > 0
        self._input = config["input"][0]["name"]
        self._outputs = [output["name"] for output in config["output"]]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(HERE / "model.onnx", options, providers=["CPUExecutionProvider"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests that the server hands over at once."""
        import numpy as np
        import triton_python_backend_utils as backend

        images = [backend.get_input_tensor_by_name(request, self._input).as_numpy() for request in requests]
        if self._joins:
            ends = np.cumsum([len(batch) for batch in images])[:-1]
            joined = self._session.run(self._outputs, {self._input: np.concatenate(images)})
            answers = list(zip(*(np.split(output, ends) for output in joined), strict=True))
        else:
            answers = [tuple(self._session.run(self._outputs, {self._input: batch})) for batch in images]
        return [
            backend.InferenceResponse(
                [backend.Tensor(name, output) for name, output in zip(self._outputs, outputs, strict=True)]
            )
            for outputs in answers
        ]
