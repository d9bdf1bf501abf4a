"""The network in PyTorch on one GPU: the published form of merging, and ours with our kernels.

uint8 picture on the GPU in, label map on the GPU out, batch 1, random weights, float16, 19 classes. Everything is
recorded once as a CUDA graph and replayed in turns with the others, so that neither Python nor the host counts; the
published form is also timed as it is launched from Python.

    python -m benchmarks.measure.gpu_torch --arch b0 --size 1024x1024
    python -m benchmarks.measure.gpu_torch --arch b0 --size 64x64 --emulated

`--emulated` lets a CPU stand in for the GPU, in float32 and without graphs: whether the script runs, not how fast.

| form | |
| :--- | :--- |
| `published` | the unfolded network, matching and merging by the `tomesd` package as it is |
| `published, from Python` | the same without a CUDA graph |
| `kernels` | our folded network with our kernels |

Attention is PyTorch's fused `scaled_dot_product_attention` in all of them, so that merging alone differs.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.arguments import add_parts, make_parser
from benchmarks.gpu_hour.stopwatch import CpuStopwatch, GpuStopwatch
from benchmarks.peers.tomesd_matching import match_by_tomesd
from segpp_deploy.config import Arch, Normalization, Preset, Size, parse_size
from segpp_deploy.model import encoder, merging
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import PRESETS, BsmMerge, SideMerge
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer
from segpp_deploy.ops.upsample_argmax import upsample_argmax
from segpp_deploy.runtimes.torch.cuda_ops import use_cuda_kernels

MODES = (
    Preset.ORIGINAL,
    Preset.HQ,
    Preset.HQ_REUSE,
    Preset.FAST,
    Preset.FAST_REUSE,
    Preset.POOL_2X2,
    Preset.DOWNSAMPLE,
)
SIZES = ("512x512", "1024x1024", "1024x2048")
NUM_CLASSES = 19

PUBLISHED, FROM_PYTHON, KERNELS = "published", "published, from Python", "kernels"

Row = dict[str, Any]
Run = Callable[[], Any]
Labels = Callable[[torch.Tensor, int, int], torch.Tensor]


class Network(nn.Module):
    """uint8 [B, H, W, 3] -> labels [B, H, W]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: SegFormer, labels: Labels) -> None:
        super().__init__()
        self.model = model
        self.labels = labels
        self.register_buffer("mean", torch.tensor(Normalization().mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(Normalization().std).view(1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalise, compute, upsample, compare."""
        dtype = self.mean.dtype
        normalised = (image.permute(0, 3, 1, 2).to(dtype) - self.mean) / self.std
        return self.labels(self.model(normalised), *image.shape[1:3])


def main() -> int:
    """Measure and print one JSON document per architecture and size."""
    parser = make_parser(__doc__)
    add_parts(parser, arch=(Arch.B0, Arch.B2, Arch.B5))
    parser.add_argument("--size", nargs="+", type=parse_size, default=list(map(parse_size, SIZES)))
    parser.add_argument("--emulated", action="store_true")
    arguments = parser.parse_args()
    stopwatch = CpuStopwatch() if arguments.emulated else GpuStopwatch()
    if not arguments.emulated:
        use_cuda_kernels()
    for arch in map(Arch, arguments.arch):
        for size in arguments.size:
            print(json.dumps({"rows": measure(arch, size, stopwatch)}), flush=True)
    return 0


def measure(arch: Arch, size: Size, stopwatch: CpuStopwatch | GpuStopwatch) -> list[Row]:
    """Return the times of every form and mode at one size, measured in turns."""
    torch.manual_seed(0)
    model = build_segformer(ModelSpec(arch, NUM_CLASSES))
    image = torch.randint(0, 256, (1, *size.hw, 3), dtype=torch.uint8, device=stopwatch.device)
    runs: dict[tuple[str, Preset], Run] = {}
    labels: dict[tuple[str, Preset], torch.Tensor] = {}

    def place(network: Network) -> Network:
        return network.eval().to(stopwatch.device, stopwatch.dtype)

    def record(network: Network, mode: Preset) -> tuple[Run, torch.Tensor]:
        network.model.plan = PRESETS[mode]
        with torch.inference_mode():
            return stopwatch.capture(lambda: network(image))

    published = place(Network(model, resize_and_compare))
    kernels = place(Network(fold_model(model), upsample_argmax))
    for mode in MODES:
        with published_merging():
            runs[PUBLISHED, mode], labels[PUBLISHED, mode] = record(published, mode)
        runs[FROM_PYTHON, mode] = _call(published, mode, image)
        with fused_attention():
            runs[KERNELS, mode], labels[KERNELS, mode] = record(kernels, mode)
    return [
        {
            "arch": str(arch),
            "size": str(size),
            "form": form,
            "mode": str(mode),
            "median_ms": statistics.median(times),
            "best_ms": min(times),
            "agreement": float((labels[KERNELS, mode] == labels[PUBLISHED, mode]).float().mean()),
        }
        for (form, mode), times in time_in_turns(runs, stopwatch).items()
    ]


def resize_and_compare(logits: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return labels as users of PyTorch compute them."""
    full = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
    return full.argmax(dim=1).to(torch.uint8)


@contextmanager
def fused_attention() -> Iterator[None]:
    """Let attention be one kernel; queries are scaled already."""

    def mix(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, log_size: torch.Tensor | None) -> torch.Tensor:
        mask = None if log_size is None else log_size[:, None, None].to(query)
        return F.scaled_dot_product_attention(query, key, value, mask, scale=1.0)

    with mock.patch.object(encoder, "_mix", mix):
        yield


@contextmanager
def published_merging() -> Iterator[None]:
    """Let tomesd match, merge and restore; attention is fused."""

    def match(tokens: torch.Tensor, merge: SideMerge, layer: int, last_map: Any) -> Any:
        if not isinstance(merge, BsmMerge):
            return None
        if last_map is not None and not merge.matches_in_layer(layer):
            return last_map
        return match_by_tomesd(tokens, merge)

    def reduce(tokens: torch.Tensor, merge: SideMerge, functions: Any) -> torch.Tensor:
        if isinstance(merge, BsmMerge):
            merged: torch.Tensor = functions[0](tokens)
            return merged
        return merging.reduce_tokens(tokens, merge, None)

    def reduce_keys(tokens: torch.Tensor, merge: SideMerge, functions: Any) -> tuple[torch.Tensor, None]:
        return reduce(tokens, merge, functions), None  # the published form weighs nothing

    def restore(rows: torch.Tensor, merge: SideMerge, functions: Any, residual: torch.Tensor) -> torch.Tensor:
        if isinstance(merge, BsmMerge):
            restored: torch.Tensor = functions[1](rows)
            return restored + residual
        return merging.restore_tokens(rows, merge, None, residual)

    with (
        mock.patch.object(encoder, "match_tokens", match),
        mock.patch.object(encoder, "reduce_tokens", reduce),
        mock.patch.object(encoder, "reduce_keys", reduce_keys),
        mock.patch.object(encoder, "restore_tokens", restore),
        fused_attention(),
    ):
        yield


def _call(network: Network, mode: Preset, image: torch.Tensor) -> Run:
    def run() -> None:
        network.model.plan = PRESETS[mode]
        with published_merging(), torch.inference_mode():
            network(image)

    return run


def time_in_turns(
    runs: dict[tuple[str, Preset], Run], stopwatch: CpuStopwatch | GpuStopwatch
) -> dict[tuple[str, Preset], list[float]]:
    """Return the milliseconds of one run in every round."""
    counts = {key: max(1, int(stopwatch.least_turn_ms / stopwatch.time(run, 2))) for key, run in runs.items()}
    times: dict[tuple[str, Preset], list[float]] = {key: [] for key in runs}
    for _ in range(stopwatch.rounds):
        for key, run in runs.items():
            times[key].append(stopwatch.time(run, counts[key]))
    return times


if __name__ == "__main__":
    raise SystemExit(main())
