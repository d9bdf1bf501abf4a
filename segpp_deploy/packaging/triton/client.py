"""Asks a Triton server for what its models say of pictures, and writes label maps.

    python client.py street.jpg                                 labels/street.png
    python client.py --protocol grpc --shared-memory *.jpg
    python client.py --engine fast.engine *.jpg                 beside the engine, computed here by segpp-deploy

It needs numpy, opencv-python and tritonclient[all]. `client.json` beside it says what each model takes and gives.
Labels become PNG files of the pictures' size; outputs other than labels and logits are written as they come, as NumPy
files. The exit code is 1 where served labels are not the engine's, and 2 after an error.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Facts = dict[str, Any]  # of one model, as client.json has them

FACTS = Path(__file__).with_name("client.json")
URLS = {"http": "127.0.0.1:8000", "grpc": "127.0.0.1:8001"}
LEAST_AGREEMENT = 0.999  # of pixels: other versions of a runtime, and other CPUs, round differently


@dataclass(frozen=True)
class Window:
    """Where a picture lies in a model's input.

    Args:
        inner_hw: the part of the input that shows the picture, in the upper left.
        outer_hw: the input's size where the picture has its own.
    """

    inner_hw: tuple[int, int]
    outer_hw: tuple[int, int]


class Server:
    """A model on a server.

    Args:
        url: HOST:PORT.
        protocol: "http" or "grpc".
        model: its name.
        facts: of the model.
        batch: pictures in a request.
    """

    def __init__(self, url: str, protocol: str, model: str, facts: Facts, batch: int) -> None:
        self._api = importlib.import_module(f"tritonclient.{protocol}")
        self._client = self._api.InferenceServerClient(url)
        self._model = model
        self._takes: Facts = facts["input"]
        self._gives: list[Facts] = facts["outputs"]
        self._batch = batch
        self._memory: SharedMemory | None = None

    def infer(self, images: Array) -> list[Array]:
        """Return the outputs [B, ..] of images [B, ..], in the model's order."""
        from tritonclient.utils import np_to_triton_dtype

        image = self._api.InferInput(self._takes["name"], list(images.shape), np_to_triton_dtype(images.dtype))
        outputs = [self._api.InferRequestedOutput(spec["name"]) for spec in self._gives]
        if self._memory is None:
            image.set_data_from_numpy(images)
            answer = self._client.infer(self._model, [image], outputs=outputs)
            return [answer.as_numpy(spec["name"]) for spec in self._gives]
        self._memory.write(self._takes, images)
        for tensor, spec in zip([image, *outputs], [self._takes, *self._gives], strict=True):
            self._memory.refer(tensor, spec)
        self._client.infer(self._model, [image], outputs=outputs)
        return [self._memory.read(spec) for spec in self._gives]

    @contextlib.contextmanager
    def shared_memory(self) -> Iterator[None]:
        """Pass tensors in memory that the server maps too, inside the block; it must be on this machine."""
        self._memory = SharedMemory(self._client, self._batch)
        try:
            for spec in (self._takes, *self._gives):
                self._memory.add(spec)
            yield
        finally:
            self._memory.close()
            self._memory = None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class SharedMemory:
    """A region of this machine's memory for each tensor of a request, known to the server too."""

    def __init__(self, client: Any, batch: int) -> None:
        self._api = importlib.import_module("tritonclient.utils.shared_memory")
        self._client = client
        self._batch = batch
        self._prefix = f"segpp-{uuid.uuid4().hex[:12]}"
        self._regions: dict[str, Any] = {}  # by the tensor's name

    def add(self, spec: Facts) -> None:
        """Make the region of a tensor."""
        name, size_bytes = self._name_of(spec["name"]), self._bytes_of(spec)
        self._regions[spec["name"]] = self._api.create_shared_memory_region(name, f"/{name}", size_bytes)
        self._client.register_system_shared_memory(name, f"/{name}", size_bytes)

    def refer(self, tensor: Any, spec: Facts) -> None:
        """Let a tensor of a request lie in its region."""
        tensor.set_shared_memory(self._name_of(spec["name"]), self._bytes_of(spec))

    def write(self, spec: Facts, values: Array) -> None:
        """Fill a region."""
        self._api.set_shared_memory_region(self._regions[spec["name"]], [values])

    def read(self, spec: Facts) -> Array:
        """Return a copy of a region's values: the next answer overwrites them."""
        region, dtype = self._regions[spec["name"]], np.dtype(spec["dtype"])
        return np.array(self._api.get_contents_as_numpy(region, dtype, list(self._shape_of(spec))))

    def close(self) -> None:
        """Give the memory back."""
        for name, region in self._regions.items():
            with contextlib.suppress(Exception):  # the server may be gone
                self._client.unregister_system_shared_memory(self._name_of(name))
            self._api.destroy_shared_memory_region(region)

    def _name_of(self, tensor: str) -> str:
        return f"{self._prefix}-{tensor}"

    def _shape_of(self, spec: Facts) -> tuple[int, ...]:
        return self._batch, *spec["shape"][1:]

    def _bytes_of(self, spec: Facts) -> int:
        return int(np.prod(self._shape_of(spec))) * np.dtype(spec["dtype"]).itemsize


def window_of(picture: Array, facts: Facts) -> Window:
    """Return where a picture uint8 [H, W, 3] lies in the input: everywhere, or at its own aspect."""
    height, width = picture.shape[:2]
    rows, columns = facts["size"]
    if not facts["is_padded"]:
        return Window((rows, columns), (height, width))
    scale = min(rows / height, columns / width)
    inner = min(rows, max(1, round(height * scale))), min(columns, max(1, round(width * scale)))
    outer = max(height, round(rows * height / inner[0])), max(width, round(columns * width / inner[1]))
    return Window(inner, outer)


def prepare(picture: Array, facts: Facts) -> Array:
    """Return a picture uint8 [H, W, 3], RGB, as the model takes it, without the batch axis."""
    height, width = window_of(picture, facts).inner_hw
    if picture.shape[:2] != (height, width):
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR))
    if list(picture.shape[:2]) != facts["size"]:
        window = np.empty((*facts["size"], 3), np.uint8)
        window[:] = np.rint(facts["mean"]).astype(np.uint8)
        window[:height, :width] = picture
        picture = window
    if not facts["is_planar"]:
        return np.ascontiguousarray(picture)
    values: Array = picture.astype(np.float32)
    if facts["is_normalized"]:
        values = (values - np.asarray(facts["mean"], np.float32)) / np.asarray(facts["std"], np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def labels_of(output: Array, picture: Array, facts: Facts) -> Array:
    """Return the labels of a picture, [H, W], from labels [h, w] or [h, w, 1], or logits [K, h, w]."""
    height, width = window_of(picture, facts).outer_hw
    if facts["output_kind"] == "labels":
        small: Array = output.reshape(output.shape[:2])
        # in integers: the pixel below each pixel's centre
        rows, columns = (
            (2 * np.arange(side) + 1) * length // (2 * side)
            for side, length in zip((height, width), small.shape, strict=True)
        )
        labels = small[rows[:, None], columns]
    else:  # upsampled, then compared: the other order gives other labels
        labels = np.argmax([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in output], 0)
    cut: Array = labels[: picture.shape[0], : picture.shape[1]]
    return cut.astype(np.uint8 if len(facts["classes"]) <= 255 else np.uint16)


def agreement(served: Sequence[Array], local: Sequence[Array]) -> float:
    """Return the share of values of the first output that are equal; of floats, that are close."""
    first, second = served[0], local[0]
    same = np.isclose(first, second, rtol=1e-3, atol=1e-3) if first.dtype.kind == "f" else first == second
    return float(same.mean())


def read_picture(path: Path) -> Array:
    """Return a picture, uint8 [H, W, 3], RGB, turned upright as its EXIF orientation says.

    Raises:
        ValueError: OpenCV cannot read it.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"OpenCV cannot read {path}.")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def write_answer(folder: Path, path: Path, picture: Array, outputs: Sequence[Array], facts: Facts) -> None:
    """Write what the model said of one picture."""
    folder.mkdir(parents=True, exist_ok=True)
    if facts["output_kind"] in ("labels", "logits"):
        cv2.imwrite(str(folder / f"{path.stem}.png"), labels_of(outputs[0], picture, facts))
    else:
        np.save(folder / f"{path.stem}.npy", outputs[0])


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="Asks a Triton server for the labels of pictures.")
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument("--model", help="its name; needed where client.json has several")
    parser.add_argument("--protocol", choices=sorted(URLS), default="http")
    parser.add_argument("--url", help="HOST:PORT; this machine and the usual port if absent")
    parser.add_argument("--batch", type=int, default=1, help="pictures in a request, where the batch is open (1)")
    parser.add_argument("--shared-memory", action="store_true", help="the server is on this machine, and shares memory")
    parser.add_argument("--engine", type=Path, help="compare with this engine, computed here by segpp-deploy")
    parser.add_argument("-o", "--out", type=Path, default=Path("labels"), help="directory of what is written (labels)")
    return parser.parse_args(words)


def run(arguments: argparse.Namespace) -> int:
    """Ask for every picture, and return the exit code."""
    models: dict[str, Facts] = json.loads(FACTS.read_text(encoding="utf-8"))
    name = arguments.model or (next(iter(models)) if len(models) == 1 else None)
    if name not in models:
        raise ValueError(f"No model {name}: --model takes one of {', '.join(models)}.")
    facts = models[name]
    batch = facts["input"]["shape"][0] or arguments.batch
    server = Server(arguments.url or URLS[arguments.protocol], arguments.protocol, name, facts, batch)
    with contextlib.ExitStack() as stack:
        stack.callback(server.close)
        if arguments.shared_memory:
            stack.enter_context(server.shared_memory())
        local = None
        if arguments.engine is not None:
            from segpp_deploy.engine.open import Engine

            local = stack.enter_context(Engine.open(arguments.engine))
        shares = []
        for start in range(0, len(arguments.pictures), batch):
            paths = arguments.pictures[start : start + batch]
            pictures = [read_picture(path) for path in paths]
            shown = [prepare(picture, facts) for picture in pictures]
            images = np.stack([*shown, *(shown[-1:] * (batch - len(shown)))])  # a full batch, whatever is left
            outputs = server.infer(images)
            if local is not None:
                shares.append(agreement(outputs, local.run_all(images)))
            for index, (path, picture) in enumerate(zip(paths, pictures, strict=True)):
                write_answer(arguments.out, path, picture, [output[index] for output in outputs], facts)
    print(f"{len(arguments.pictures)} pictures, written to {arguments.out}")
    if not shares:
        return 0
    print(f"{100 * min(shares):.4f} % of the values or more are the engine's")
    return 0 if min(shares) >= LEAST_AGREEMENT else 1


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    arguments = parse_arguments(words)
    try:
        return run(arguments)
    except Exception as error:  # of the server, the network, OpenCV, the engine: each says what happened
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
