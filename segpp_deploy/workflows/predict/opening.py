"""Who looks at pictures: an engine in this process, or the workers of a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segpp_deploy import __version__
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.pictures import PictureRunner, PictureWorker, Wanted


def open_predictor(options: PredictOptions) -> Predictor[Any]:
    """Load the engines.

    Raises:
        SegppError: they cannot be loaded, or do not find what is asked for.
    """
    predictor = Predictor.open(options.engine, options.inference, also=options.also)
    try:
        _require_asked(predictor.task, options)
    except SegppError:
        predictor.close()
        raise
    return predictor


@contextmanager
def open_worker(options: PredictOptions) -> Iterator[PictureRunner]:
    """Yield what looks at pictures.

    Raises:
        SegppError: as `open_predictor`; of a fleet, what its workers raise comes later.
    """
    if not options.ray:
        with open_predictor(options) as predictor:
            yield PictureWorker(predictor, _wanted(options))
        return
    from segpp_deploy.fleet.engines import copy_engines  # for who has a fleet
    from segpp_deploy.workflows.predict.fleet import PictureFleet

    engines = copy_engines(options.engine, options.also, options.inference)
    _require_asked(engines.task, options)
    yield PictureFleet(options.ray, engines, _wanted(options))


def _require_asked(task: AnyTask, options: PredictOptions) -> None:
    if options.labels_png:
        task.require_label_maps("labels-png")
    if options.keypoints or options.boxes:
        task.require_keypoints("keypoints" if options.keypoints else "boxes")


def _wanted(options: PredictOptions) -> Wanted:
    if not options.resume:
        return Wanted({}, options.keypoints)
    engines = [read_manifest(engine).engine_sha256 for engine in (options.engine, *options.also)]
    made_by = {"engines": engines, "inference": str(options.inference), "version": __version__}
    return Wanted(made_by, options.keypoints)
