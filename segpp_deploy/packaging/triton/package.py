"""A Triton model repository: engines as models that NVIDIA's Triton Inference Server loads, and a client."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from segpp_deploy.packaging.package import Package, PackagedEngine, PackageFile
from segpp_deploy.packaging.plugins import find_plugins
from segpp_deploy.packaging.texts import fill_template, label_lines, say_whether_tried
from segpp_deploy.packaging.triton.client_facts import facts_of
from segpp_deploy.packaging.triton.containers import (
    NEWEST,
    ONNXRUNTIME_VERSIONS,
    TENSORRT_VERSIONS,
    find_release,
    image_of,
)
from segpp_deploy.packaging.triton.model_config import format_config
from segpp_deploy.packaging.triton.models import find_models
from segpp_deploy.packaging.triton.notes import notes_of
from segpp_deploy.packaging.triton.served_model import BackendName, ServedModel

_HERE = Path(__file__).parent
_VERSION = "1"


def package_for_triton(engines: Sequence[PackagedEngine], name: str | None) -> Package:
    """Put a model repository together; see `Packager`."""
    models = find_models(engines, name)
    plugins = find_plugins(engines)
    release = _choose_release(models)
    image = "" if release is None else image_of(release)
    notes = notes_of(models, release)
    clients = json.dumps({model.name: facts_of(model) for model in models}, indent=2) + "\n"
    files = {
        "README.md": _readme(models, image, notes),
        "run.sh": PackageFile(_HERE / "run.sh", is_program=True),
        "run.env": PackageFile(_settings(models, image, plugins)),
        "client.py": PackageFile(_HERE / "client.py"),
        "client.json": PackageFile(clients),
    }
    for model in models:
        files |= _model_files(model)
    if plugins is not None:
        files[f"plugins/{plugins.name}"] = PackageFile(plugins)
    return Package(files, "./run.sh" if image else "TRITON_IMAGE=IMAGE ./run.sh", notes)


def _model_files(model: ServedModel) -> dict[str, PackageFile]:
    folder = f"models/{model.name}"
    return {
        f"{folder}/config.pbtxt": PackageFile(format_config(model)),
        f"{folder}/labels.txt": label_lines(model.manifest.metadata.classes),
        **{f"{folder}/{_VERSION}/{file}": PackageFile(engine.path) for file, engine in model.files.items()},
    }


def _choose_release(models: Iterable[ServedModel]) -> str | None:
    """Return the release whose container has the engines' runtime; None where none is known that has their TensorRT.

    The other runtimes load what another version of them built, so their engines are served by the newest at worst.
    """
    versions = {model.backend.name: model.manifest.runtime.version for model in models}
    if (tensorrt := versions.get(BackendName.TENSORRT)) is not None:
        return find_release(TENSORRT_VERSIONS, tensorrt)
    return find_release(ONNXRUNTIME_VERSIONS, versions.get(BackendName.ONNXRUNTIME, "")) or NEWEST


def _settings(models: Iterable[ServedModel], image: str, plugins: Path | None) -> str:
    """Return what `run.sh` reads."""
    values = {
        "IMAGE": image,
        "GPUS": "all" if any(model.backend.on_gpu for model in models) else "",
        "PLUGINS": "" if plugins is None else plugins.name,
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _readme(models: Sequence[ServedModel], image: str, notes: Sequence[str]) -> PackageFile:
    values = {
        "models": "\n".join(map(_row, models)),
        "image": f"`{image}`" if image else "none is known here",
        "model": models[0].name,
        "tried": say_whether_tried(*(engine.manifest for model in models for engine in model.engines)),
        "notes": "".join(("\n## What to know\n\n" * bool(notes), *(f"* {note}\n" for note in notes))),
    }
    return fill_template(_HERE / "readme.template", values)


def _row(model: ServedModel) -> str:
    manifest = model.manifest
    batch = f"requests are joined, up to {model.max_batch}" if model.max_batch else "a request is one batch"
    outputs = ", ".join(f"`{spec}`" for spec in manifest.outputs)
    cells = (f"`{model.name}`", model.backend.name, manifest.precision, f"`{manifest.input}`", outputs, batch)
    return f"| {' | '.join(map(str, cells))} |"
