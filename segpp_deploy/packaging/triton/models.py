"""Which engines become which models, under which names; and what Triton cannot serve."""

from __future__ import annotations

import re
from collections.abc import Sequence

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, quote, some_names
from segpp_deploy.packaging.demands import require_target
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.packaging.triton.served_model import BACKENDS, BackendName, ServedModel, capability_of
from segpp_deploy.runtimes.names import TargetName

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")  # a directory, and a part of the server's addresses
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


def find_models(engines: Sequence[PackagedEngine], name: str | None) -> tuple[ServedModel, ...]:
    """Return the models that engines become.

    TensorRT engines of one graph for several kinds of GPU are one model, of which each server takes the file for its
    GPU. Models are called as their first engine's file, or `name` where there is one model.

    Raises:
        SegppError: Triton has no backend for an engine, engines need several versions of TensorRT, names are taken
            twice, or one name was given to several models.
    """
    for engine in engines:
        require_target(engine, Stack.TRITON, BACKENDS)
    _require_one_tensorrt(engines)
    groups = _group(engines)
    if name is not None and len(groups) > 1:
        raise SegppError(
            f"{commands.option('name', name)} names one model, and these engines are {len(groups)}.",
            "engines of one graph, each for another kind of GPU; others are models of their own.",
            "Leave it out: models are called as their engines' files.",
        )
    models = tuple(ServedModel(_name_of(group[0], name), tuple(group)) for group in groups)
    _require_distinct(models)
    return models


def _require_one_tensorrt(engines: Sequence[PackagedEngine]) -> None:
    """A container has one TensorRT, and that runs engines of its own version."""
    plans = [engine for engine in engines if BACKENDS[engine.manifest.target].name is BackendName.TENSORRT]
    versions = {engine.manifest.runtime.version: engine.path for engine in plans}
    if len(versions) > 1:
        built = [f"{path} with {version}" for version, path in versions.items()]
        raise SegppError(
            f"A server has one TensorRT, but these engines were built with several: {some_names(built)}.",
            "engines of one version.",
            "Package them apart: " + commands.package(next(iter(versions.values())), **{"for": Stack.TRITON}),
        )


def _group(engines: Sequence[PackagedEngine]) -> list[list[PackagedEngine]]:
    groups: list[list[PackagedEngine]] = []
    for engine in engines:
        fitting = (group for group in groups if _belongs(engine, group))
        found = next(fitting, None)
        if found is None:
            groups.append([engine])
        else:
            found.append(engine)
    return groups


def _belongs(engine: PackagedEngine, group: Sequence[PackagedEngine]) -> bool:
    """Whether an engine is a group's model on another kind of GPU: all facts of its graph are the same."""
    first, manifest = group[0].manifest, engine.manifest
    if manifest.target is not TargetName.TENSORRT or first.target is not TargetName.TENSORRT:
        return False
    is_same = manifest.metadata == first.metadata
    return is_same and capability_of(engine) not in map(capability_of, group)


def _name_of(engine: PackagedEngine, name: str | None) -> str:
    made = _NOT_IN_NAMES.sub("_", engine.path.stem).lstrip(".-") or "model"
    if name is not None and not _NAME.fullmatch(name):
        raise SegppError(
            f"Triton cannot serve a model called {quote(name)}.",
            "at most 128 letters, digits, _, - and dots, the first no dot and no -.",
            commands.option("name", made),
        )
    return name or made[:128]


def _require_distinct(models: Sequence[ServedModel]) -> None:
    taken: dict[str, ServedModel] = {}
    for model in models:
        other = taken.setdefault(model.name.casefold(), model)  # directories of some file systems know no capitals
        if other is not model:
            first, second = other.engines[0].path, model.engines[0].path
            raise SegppError(
                f"{first} and {second} would both be the model {model.name}.",
                "engine files whose names differ, in more than what a model's name cannot hold.",
                f"Rename one of them, and its manifest: {second.name} and {second.name}.json.",
            )
