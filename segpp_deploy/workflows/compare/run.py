"""`compare`: the published table, of these models, on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

from segpp_deploy.data.findings import collect_findings
from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.model.weights.cards import keep_quiet
from segpp_deploy.model.weights.loading import load_source
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.compare.cells import choose_engines, load_modes
from segpp_deploy.workflows.compare.comparison import ModelComparison
from segpp_deploy.workflows.compare.inputs import open_data, read_inputs
from segpp_deploy.workflows.compare.journal import Journal
from segpp_deploy.workflows.compare.judge import TORCH_IMAGES
from segpp_deploy.workflows.compare.options import CompareOptions, name_models
from segpp_deploy.workflows.compare.report import write_report
from segpp_deploy.workflows.compare.result import CompareResult, Row
from segpp_deploy.workflows.compare.setting import Setting

JOURNAL_NAME, WORK_NAME = "journal.jsonl", "work"


def run_compare(
    options: CompareOptions, progress: Progress = no_progress, tell: Callable[[str], None] = keep_quiet
) -> CompareResult:
    """Judge and time every combination, and write the report into `options.out`.

    What is found out of a row is written down at once: the same comparison, started again, goes on where it was.

    Raises:
        SegppError: a model, a mode or the data cannot be used, or the report cannot be written.
    """
    result = compare_models(options, progress, tell)
    return replace(result, further=(*result.further, *write_report(result)))


def compare_models(options: CompareOptions, progress: Progress, tell: Callable[[str], None]) -> CompareResult:
    """Judge and time every combination and draw its pictures; as `run_compare`, which writes the report too."""
    plans, kinds, names = load_modes(options), choose_engines(options), name_models(options.sources)
    journal = Journal(options.out / JOURNAL_NAME, fresh=options.fresh)
    work, environment = options.out / WORK_NAME, describe_environment()
    setting: Setting | None = None
    rows: list[Row] = []
    notes: list[str] = []
    with collect_findings() as findings:
        for name, source in zip(names, options.sources, strict=True):
            model = load_source(source, tell)
            dataset = open_data(options.data, options.limit, model.model.spec.task, model.classes)
            if setting is None:
                inputs = read_inputs(dataset, len(model.classes), progress)
                setting = Setting(options, plans, kinds, inputs, journal, work, environment, progress)
            rows += ModelComparison(setting, name, source, model).run()
            notes += model.notes
    assert setting is not None  # there is a model
    shutil.rmtree(work, ignore_errors=True)
    return CompareResult(
        out=options.out,
        data=inputs.dataset.name,
        images=len(inputs.dataset),
        has_labels=inputs.has_targets,
        torch_images=min(TORCH_IMAGES, len(inputs.dataset)),
        iterations=options.iterations,
        baseline=options.baseline,
        rows=tuple(rows),
        environment=environment,
        command=options.command,
        failures=inputs.failures,
        galleries=tuple(setting.galleries),
        stale=setting.stale,
        reused=setting.reused,
        further=(*notes, *setting.notes, *findings.notes()),
    )
