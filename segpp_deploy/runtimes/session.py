"""What every session offers, whatever computes behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import TensorSpec, format_shape, input_spec
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.network_parts import NetworkPart


class Session(Protocol):
    """A model that is loaded and ready to run.

    Not to be shared between threads. Close it, best with `contextlib.closing`, to give its memory back.
    """

    @property
    def metadata(self) -> ExportMetadata:
        """What the model is."""

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute.

        Args:
            images: uint8 [B, H, W, 3] RGB, or float32 [B, 3, H, W]; see `metadata.input_kind`.

        Returns:
            An array of its own, the first output; see `OutputKind`.

        Raises:
            SegppError: type or shape of the images is wrong; the batch too, where it is fixed.
        """

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute as `run` does, and return every output in the order of the contract, each an array of its own."""

    def close(self) -> None:
        """Give the memory back; the session cannot run afterwards."""


@dataclass(frozen=True)
class SessionOptions:
    """How to open an engine.

    Args:
        threads: CPU threads; None = what its manifest says.
        profile: take the time of every node, for `ProfiledSession.profile`.
    """

    threads: int | None = None
    profile: bool = False


@dataclass(frozen=True)
class OperationTime:
    """The operations of one type in a profile: their time in one run, and how many of them a run has."""

    operation: str
    milliseconds: float
    count: int


@dataclass(frozen=True)
class Profile:
    """Where the time of a run goes, as means.

    Args:
        operations: by what nodes do, the longest first.
        parts: milliseconds by part of the network, all parts in their order; together the same time.
    """

    operations: tuple[OperationTime, ...]
    parts: Mapping[NetworkPart, float]


class ProfiledSession(Session, Protocol):
    """A session that was opened with `SessionOptions(profile=True)`."""

    def profile(self, skip_runs: int = 0) -> Profile:
        """Close the session and return the mean times of its runs but the first `skip_runs`."""


def require_images(images: NDArray[Any], metadata: ExportMetadata) -> NDArray[Any]:
    """Return the images, contiguous, if they fit the model's input.

    Raises:
        SegppError: another type or shape; the message says what came and what was expected.
    """
    spec = input_spec(metadata)
    if images.ndim == 0 or images.shape[0] == 0 or not spec.accepts(images.dtype.name, images.shape):
        raise SegppError(
            f"The model cannot take {images.dtype} {format_shape(images.shape)}.",
            f"{spec}.",
            _advise(images, spec),
        )
    return np.ascontiguousarray(images)


def _advise(images: NDArray[Any], spec: TensorSpec) -> str:
    if images.ndim == len(spec.shape) - 1:
        return "Add the batch axis: images[None]."
    if images.dtype.name != spec.dtype:
        other = "uint8" if spec.dtype == "float32" else "float"
        return f"Prepare the images for this input, or export with {other} input."
    if images.ndim == len(spec.shape) and images.shape[1:] == spec.shape[1:]:
        return "Fill the batch up, or export with a dynamic batch."
    return "Resize the images, or export at another size."
