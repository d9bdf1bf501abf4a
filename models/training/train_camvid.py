"""Train a SegFormer of any depth on CamVid's train split, for as long as there is time.

    python models/training/packed_camvid.py camvid runs/camvid.npz
    python models/training/train_camvid.py --data runs/camvid.npz --out runs/camvid-b2 --device cuda --minutes 6
    python models/training/trained_weights.py runs/camvid-b2 runs/segformer_b2_camvid.safetensors

Weights start at random, or from a smaller trained network (`--grow`), which a CPU can do with:

    python models/training/train_camvid.py --data runs/camvid.npz --out runs/camvid-b2 --device cpu --minutes 90 \\
        --grow segformer_b0_camvid.safetensors --crop 224x288 --batch 4 --rate 2e-4

A run of any length ends annealed (`timed_run.py`). A machine that runs this needs this repository, torch, numpy, opencv
and safetensors.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from confusion import Counts, count_confusion, iou_percent
from frame_crops import random_crops
from grown_model import grow
from network import loss_of, normalise, random_model
from packed_camvid import Frames, load
from timed_run import Average, Descent, Run, set_gradients, train_until_time_is_up
from torch import nn
from trained_weights import compact_tensors, describe, save_shards

from segpp_deploy.config import Arch, Size, parse_size
from segpp_deploy.data.datasets.camvid import CAMVID_CLASSES
from segpp_deploy.model.encoder import EncoderLayer
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.model.weights.checkpoint import load_checkpoint

EVALUATION_BATCH = 8
TRIAL_STEPS = 8


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, together with the code and the machine's pace."""

    arch: Arch = Arch.B2
    crop_hw: tuple[int, int] = (288, 384)
    batch: int = 16
    peak_rate: float = 5e-4
    weight_decay: float = 0.02
    drop_path: float = 0.1
    minutes: float = 6.0
    seed: int = 0
    grown_from: Path | None = None

    def first_weights(self) -> SegFormer:
        """The model that training starts from."""
        model = random_model(self.arch, len(CAMVID_CLASSES), self.seed)
        return model if self.grown_from is None else grow(load_checkpoint(self.grown_from).model, self.arch)

    @property
    def start(self) -> str:
        """What training starts from, in words."""
        if self.grown_from is None:
            return "random weights"
        return f"{self.grown_from.name}, grown to {self.arch.upper()}"


def drop_paths(model: SegFormer, most: float) -> None:
    """Skip the two branches of encoder layers at random for single samples while training, the last most often.

    Source: Huang et al., "Deep Networks with Stochastic Depth" (2016), with the linear rule.
    """
    layers = _layers(model)
    for index, layer in enumerate(layers):
        kept = 1 - most * index / max(1, len(layers) - 1)

        def drop(module: nn.Module, _: object, branch: torch.Tensor, kept: float = kept) -> torch.Tensor:
            if not module.training or kept == 1:
                return branch
            shape = (len(branch), *(1,) * (branch.ndim - 1))
            return branch * torch.empty(shape, dtype=branch.dtype, device=branch.device).bernoulli_(kept).div_(kept)

        layer.attention.output.register_forward_hook(drop)
        layer.feed_forward.register_forward_hook(drop)


def choose_layout(model: SegFormer, step: Callable[[], object]) -> str:
    """Let a GPU's depthwise convolutions take planes or channels last, whichever makes `step` faster; return which."""
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d) and module.groups > 1]
    seconds = {"channels last": _seconds_of(step)}
    hooks = [one.register_forward_pre_hook(lambda _, inputs: inputs[0].contiguous()) for one in convolutions]
    seconds["planes"] = _seconds_of(step)
    chosen = min(seconds, key=seconds.__getitem__)
    if chosen == "channels last":
        for hook in hooks:
            hook.remove()
    return ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items())


def _layers(model: SegFormer) -> list[EncoderLayer]:
    return [module for module in model.modules() if isinstance(module, EncoderLayer)]


def _seconds_of(step: Callable[[], object]) -> float:
    for _ in range(TRIAL_STEPS):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(TRIAL_STEPS):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / TRIAL_STEPS


def class_weights(labels: torch.Tensor) -> torch.Tensor:
    """Square roots of how much rarer each class is than the median one: small things count, large ones still lead."""
    counts = torch.bincount(labels.flatten(), minlength=256)[: len(CAMVID_CLASSES)].float().clamp(min=1)
    return (counts.median() / counts).sqrt()


@torch.inference_mode()
def judge(model: SegFormer, frames: Frames) -> Counts:
    """Return the confusion matrix of a model on whole frames."""
    pairs = zip(frames.images.split(EVALUATION_BATCH), frames.labels.split(EVALUATION_BATCH), strict=True)
    size = len(CAMVID_CLASSES)
    counted = []
    for images, labels in pairs:
        logits = F.interpolate(model(normalise(images)), size=labels.shape[1:], mode="bilinear", align_corners=False)
        counted.append(count_confusion(labels, logits.argmax(1), size))
    total: Counts = sum(counted[1:], counted[0])
    return total


def train(recipe: Recipe, data: Path, out: Path, device: torch.device) -> None:
    """Run the recipe on a device; write shards and log to `out` now and then and at the end."""
    torch.backends.cudnn.benchmark = True  # crops are of one size
    torch.set_float32_matmul_precision("high")
    frames, val = load(data, "train", device), load(data, "val", device)
    model = recipe.first_weights().to(device)
    average = Average.of(model)
    drop_paths(model, recipe.drop_path)
    model.train()
    weights = class_weights(frames.labels)

    def loss_at(_progress: float) -> torch.Tensor:
        images, labels = random_crops(frames, recipe.batch, recipe.crop_hw)
        return loss_of(model, images.contiguous(memory_format=torch.channels_last), labels, weights)

    def keep(average: Average) -> None:
        iou = iou_percent(judge(average.model, val))
        run.say(f"step {average.steps}: val mIoU {iou.mean():.2f}  " + " ".join(f"{value:.1f}" for value in iou))
        write(average, recipe, out)

    layout = "channels last"
    if device.type == "cuda":
        layout = choose_layout(model, lambda: set_gradients(model, loss_at(0.0)))
    run = Run(out, recipe.minutes)
    run.say(f"{recipe} on {len(frames.images)} frames, torch {torch.__version__}, {device}, convolutions: {layout}")
    train_until_time_is_up(run, model, average, Descent(recipe.peak_rate, recipe.weight_decay), loss_at, keep)


def write(average: Average, recipe: Recipe, out: Path) -> None:
    """Write the averaged weights as shards."""
    note = f"trained from {recipe.start} on CamVid's train split, {average.steps} steps of {recipe.batch} crops"
    tensors = compact_tensors(copy.deepcopy(average.model))
    save_shards(tensors, out, describe(average.model, CAMVID_CLASSES, note))


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the frames that packed_camvid.py packed")
    parser.add_argument("--out", type=Path, required=True, help="folder of the log and the weights")
    parser.add_argument("--arch", type=Arch, default=Recipe.arch, choices=list(Arch))
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--crop", type=parse_size, default=Size(*Recipe.crop_hw), metavar="HxW")
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--rate", type=float, default=Recipe.peak_rate, help="the highest learning rate")
    parser.add_argument("--grow", type=Path, help="a trained checkpoint of a smaller backbone to start from")
    options = parser.parse_args()
    recipe = Recipe(
        arch=options.arch,
        crop_hw=(options.crop.height, options.crop.width),
        batch=options.batch,
        peak_rate=options.rate,
        minutes=options.minutes,
        grown_from=options.grow,
    )
    train(recipe, options.data, options.out, options.device)


if __name__ == "__main__":
    main()
