"""Train the demo model: SegFormer-B0 from random weights on generated street scenes, on a CPU in about an hour.

    python models/training/train_scenes.py --out runs/scenes-b0

The run is seeded step by step and writes a checkpoint it can go on from (`--resume`). `publish_scenes.py` turns its
last checkpoint into the files that `models/` ships, with the accuracy on held-out seeds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from network import loss_of, make_optimizer, random_model, take_step
from scene_cache import open_cache
from scene_crops import Recipe, batches

from segpp_deploy.config import Arch
from segpp_deploy.data.scenes import SCENE_CLASSES, SceneClass
from segpp_deploy.files import atomic_path
from segpp_deploy.model.segformer import SegFormer

RARE_CLASS_WEIGHT = 2.0
RARE_CLASSES = (SceneClass.PERSON, SceneClass.POLE, SceneClass.TRAFFIC_SIGN)
WARM_UP_STEPS = 100
CHECKPOINT_STEPS = 200
PROCESSES = 2


@dataclass(frozen=True)
class Folders:
    """Where a run reads and writes."""

    cache: Path
    out: Path
    rendezvous: Path


def rate_at(step: int, recipe: Recipe) -> float:
    """In each stage a linear warm-up, then a half cosine to zero."""
    stage, done = recipe.stage_at(step)
    if done < WARM_UP_STEPS:
        return stage.peak_rate * (done + 1) / WARM_UP_STEPS
    progress = (done - WARM_UP_STEPS) / max(1, stage.steps - WARM_UP_STEPS)
    return float(stage.peak_rate * 0.5 * (1 + np.cos(np.pi * progress)))


def new_model(seed: int) -> SegFormer:
    """A randomly initialised B0 for the scene classes."""
    return random_model(Arch.B0, len(SCENE_CLASSES), seed)


def average_gradients(model: SegFormer) -> None:
    """Replace each process's gradients by their mean over the processes."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    means = (flat / dist.get_world_size()).split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view(gradient.shape))


def train(rank: int, recipe: Recipe, folders: Folders, world_size: int, resume: bool) -> None:
    """Run the recipe as one of `world_size` single-threaded processes.

    One thread each, because threads of one operator wait for the slowest at every step of it, which costs most of
    the time on a machine that does other things too; processes meet once per training step.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    dist.init_process_group("gloo", init_method=f"file://{folders.rendezvous}", rank=rank, world_size=world_size)
    cache = open_cache(folders.cache, recipe.scenes, workers=world_size)
    model = new_model(recipe.seed).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = make_optimizer(model, recipe.weight_decay)
    checkpoint = folders.out / "last.pt"
    first_step = load_checkpoint(checkpoint, model, optimizer) if resume and checkpoint.exists() else 0
    weights = torch.ones(len(SCENE_CLASSES))
    weights[list(RARE_CLASSES)] = RARE_CLASS_WEIGHT
    log = ProgressLog(recipe.steps, first_step)
    for step, (images, labels) in enumerate(batches(cache, recipe, first_step, rank), start=first_step):
        loss = loss_of(model, images.contiguous(memory_format=torch.channels_last), labels, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(model)
        take_step(model, optimizer, rate_at(step, recipe))
        if rank == 0:
            log.add(step, loss.item())
            if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == recipe.steps:
                save_checkpoint(checkpoint, model, optimizer, step + 1)
    dist.destroy_process_group()


@dataclass
class ProgressLog:
    """Prints the smoothed loss and the pace every 20 steps."""

    steps: int
    first_step: int
    loss: float | None = None
    started: float = field(default_factory=time.perf_counter)

    def add(self, step: int, loss: float) -> None:
        """Take in the loss of a step."""
        self.loss = loss if self.loss is None else 0.95 * self.loss + 0.05 * loss
        if (step + 1) % 20 == 0:
            pace = (time.perf_counter() - self.started) / (step + 1 - self.first_step)
            print(f"step {step + 1}/{self.steps} loss {self.loss:.4f} {pace:.2f} s/step", flush=True)


def load_checkpoint(path: Path, model: SegFormer, optimizer: torch.optim.Optimizer) -> int:
    """Restore a run and return its next step."""
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def save_checkpoint(path: Path, model: SegFormer, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write everything `--resume` needs."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def main() -> None:
    """Parse the command line, render, train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("runs/scenes"), help="folder of the rendered scenes")
    parser.add_argument("--out", type=Path, default=Path("runs/scenes-b0"), help="folder of the checkpoints")
    parser.add_argument("--scenes", type=int, default=Recipe.scenes)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out")
    options = parser.parse_args()
    recipe = Recipe(scenes=options.scenes)
    options.out.mkdir(parents=True, exist_ok=True)
    open_cache(options.cache, recipe.scenes, workers=PROCESSES)
    rendezvous = (options.out / "rendezvous").absolute()
    rendezvous.unlink(missing_ok=True)  # a file left by a killed run would make this one wait for its processes
    folders = Folders(options.cache, options.out, rendezvous)
    mp.spawn(train, (recipe, folders, PROCESSES, options.resume), nprocs=PROCESSES)  # type: ignore[attr-defined, no-untyped-call]


if __name__ == "__main__":
    main()
