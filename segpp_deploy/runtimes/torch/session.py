"""The PyTorch model behind a session's contract: the float32 reference of every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segpp_deploy.config import TorchDevice
from segpp_deploy.graph.contract import output_specs
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.runtimes.session import require_images
from segpp_deploy.runtimes.torch.device import forbid_tf32, require_cuda


class TorchSession:
    """Runs a model as the exported file described by `metadata` would.

    Args:
        model: as trained, float32, in eval mode, with the plan of the file.
        metadata: of the exported file.
        device: where it computes; sums come in another order on a GPU, which TF32 does not round there.

    Raises:
        SegppError: PyTorch can use no GPU.
    """

    def __init__(self, model: SegFormer, metadata: ExportMetadata, device: TorchDevice = TorchDevice.CPU) -> None:
        if device is TorchDevice.CUDA:
            require_cuda()
            forbid_tf32()
        self.metadata = metadata
        self._device = torch.device(str(device))
        self._module: Any = Deployable.behind(metadata, model).eval().to(self._device)

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        return [
            output.astype(spec.dtype, copy=False).reshape(len(output), *spec.shape[1:])
            for output, spec in zip(self._compute(self._module, images), output_specs(self.metadata), strict=True)
        ]

    def logits(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the logits or heatmaps float32 [B, K, h, w], whatever the file puts out; images as for `run`."""
        return self._compute(lambda tensor: (self._module.logits(tensor),), images)[0]

    def close(self) -> None:
        """Give the memory back."""
        self._module = None

    def _compute(self, function: Any, images: NDArray[Any]) -> list[NDArray[Any]]:
        images = require_images(images, self.metadata)
        tensor = torch.from_numpy(np.require(images, requirements=["C", "W"]))  # torch warns of read-only memory
        with torch.inference_mode():
            return [np.asarray(output.cpu().numpy()) for output in function(tensor.to(self._device))]
