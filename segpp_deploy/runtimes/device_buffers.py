"""Where a tensor lives while an engine runs on an NVIDIA GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.hardware.cuda_device import Device, view_memory


class TensorBuffers:
    """One tensor's memory on the GPU and, pinned, on the host; for the largest batch."""

    def __init__(self, device: Device, spec: TensorSpec, max_batch: int) -> None:
        self.spec = spec
        self._device = device
        self._largest = (max_batch, *(length or 0 for length in spec.shape[1:]))
        size = self.size_bytes(max_batch)
        self.device_address = device.allocate(size)
        try:
            self.host_address = device.allocate_pinned(size)
        except SegppError:
            device.free(self.device_address)
            raise

    def size_bytes(self, batch: int) -> int:
        """Return how much of the memory a batch takes."""
        return batch * int(np.prod(self._largest[1:])) * np.dtype(self.spec.dtype).itemsize

    def host_view(self, batch: int) -> NDArray[Any]:
        """Return the pinned memory of a batch as an array."""
        return view_memory(self.host_address, self.spec.dtype, (batch, *self._largest[1:]))

    def free(self) -> None:
        """Give both back."""
        self._device.free(self.device_address)
        self._device.free_pinned(self.host_address)
