"""The rows of one model: judged one by one, then timed in turns; each finding is in the journal at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from segpp_deploy.config import Precision, Size
from segpp_deploy.files import key_of, sha256_of
from segpp_deploy.model.weights.loading import SourceModel
from segpp_deploy.model.weights.source import ModelSource
from segpp_deploy.runtimes.registry import open_target
from segpp_deploy.tasks.registry import TASKS
from segpp_deploy.tuning.calibration.options import RangesFile
from segpp_deploy.tuning.recipe_choice import NothingFasterError
from segpp_deploy.workflows.compare.cells import Cell, baseline_cell, explain_impossible, make_cells
from segpp_deploy.workflows.compare.engines import Engines
from segpp_deploy.workflows.compare.findings import Judged
from segpp_deploy.workflows.compare.gallery import Gallery
from segpp_deploy.workflows.compare.judge import Judge
from segpp_deploy.workflows.compare.making import making_commands
from segpp_deploy.workflows.compare.pictures import Drawing, Shown
from segpp_deploy.workflows.compare.result import PICTURES_NAME, Row
from segpp_deploy.workflows.compare.setting import Setting, explain_failure
from segpp_deploy.workflows.compare.timings import Timings

_REASON = "reason"  # in the place of figures, where measuring found out that there is nothing to build


class ModelComparison:
    """Finds out about the rows of one model.

    Args:
        setting: what it has in common with other models'.
        name: the model's.
        source: where its weights come from.
        model: the loaded weights.
    """

    def __init__(self, setting: Setting, name: str, source: ModelSource, model: SourceModel) -> None:
        options = setting.options
        self._setting = setting
        self._name = name
        self._source = source
        self._model = model
        self._sizes = options.sizes or (model.size or TASKS[model.model.spec.task].default_size,)
        self.engines = Engines(model, setting.work, options, setting.inputs.dataset.keypoints)
        self._judge = Judge(self.engines, setting.inputs, setting.progress)
        self._timings = Timings(self.engines, setting)

    def run(self) -> list[Row]:
        """Judge every row, and then time those that can be."""
        setting = self._setting
        cells = make_cells(self._name, self._sizes, setting.plans, setting.kinds, setting.options)
        possible = next((cell for cell in cells if not self._explain_impossible(cell)), None)
        if possible is not None:
            self._judge.survey(self.engines.describe(possible))  # labels that do not fit would fail every row
        rows = [self._find_out(cell, number, len(cells)) for number, cell in enumerate(cells)]
        for size in self._sizes:
            rows = self._with_timings(rows, size)
            setting.galleries += self._draw(rows, size)
        return rows

    def key(self, cell: Cell) -> str:
        """Return a hash of everything that a row's accuracy depends on."""
        options, target = self._setting.options, open_target(cell.candidate.engine.target)
        needs_ranges = cell.candidate.engine.precision is Precision.INT8
        calibration = options.calibration if needs_ranges else None
        graph = self.engines.describe(cell).to_dict()
        del graph["checkpoint"]  # the same weights in another place are the same
        return key_of(
            {
                "graph": graph,
                "axes": {str(axis): value for axis, value in cell.axes.items()},
                "runtime": asdict(target.runtime_facts()),
                "pictures": self._setting.inputs.identity,
                "threads": options.threads,
                "calibration": repr(calibration),
                "ranges": sha256_of(calibration.path) if isinstance(calibration, RangesFile) else None,
                "machine": [self._setting.environment.cpu, self._setting.environment.cpu_cores],
            }
        )

    def _find_out(self, cell: Cell, number: int, total: int) -> Row:
        """Return what is known of a row, or judge it."""
        setting = self._setting
        setting.progress("Comparing", number, total)
        row = Row(cell, commands=making_commands(self._source, cell, setting.options))
        reason = self._explain_impossible(cell)
        if reason:
            return row.impossible(reason)
        key, subject = self.key(cell), f"accuracy: {cell}"
        known = setting.journal.find(subject, key)
        if known is not None:
            setting.reused += 1
            return row.impossible(known[_REASON]) if _REASON in known else replace(row, judged=Judged.from_dict(known))
        setting.stale += setting.journal.is_stale(subject, key)
        try:
            judged = self._judge.judge(cell, key, self.engines.make(cell, key, setting.progress))
        except NothingFasterError as error:
            setting.journal.add(subject, key, {_REASON: explain_failure(error)})
            return row.impossible(explain_failure(error))
        except Exception as error:
            return row.failed(explain_failure(error))
        setting.journal.add(subject, key, judged.to_dict())
        return replace(row, judged=judged)

    def _explain_impossible(self, cell: Cell) -> str:
        is_calibrated = self._setting.options.calibration is not None
        return explain_impossible(cell, self._model.model.spec.task, is_calibrated=is_calibrated)

    def _with_timings(self, rows: Sequence[Row], size: Size) -> list[Row]:
        """Return the rows, those of one size with their timings."""
        setting = self._setting
        ready = {self.key(row.cell): row for row in rows if row.judged and row.cell.candidate.size == size}
        named = baseline_cell(self._name, size, setting.plans, setting.kinds, setting.options)
        baseline = next((key for key, row in ready.items() if row.cell == named), None)
        timed = self._timings.find(ready, baseline)
        return [timed.get(row.cell, row) for row in rows]

    def _draw(self, rows: Sequence[Row], size: Size) -> list[Gallery]:
        """Return the pictures of a size, drawn unless they are there: of each mode in float32, or what there is."""
        setting, folder = self._setting, self._setting.options.out / PICTURES_NAME
        judged = [row.cell for row in rows if row.judged and row.cell.candidate.size == size and not row.cell.is_plain]
        modes: dict[str, Shown] = {}
        for cell in sorted(judged, key=lambda cell: not cell.is_exact):
            modes.setdefault(cell.candidate.plan.name, Shown(cell, self.key(cell)))
        if not modes:
            return []
        order = {cell.candidate.plan.name: modes[cell.candidate.plan.name] for cell in judged}
        subject, key = f"pictures: {self._name}, {size}", key_of({mode: one.key for mode, one in order.items()})
        known = setting.journal.find(subject, key)
        if known is not None and Gallery.from_dict(known).is_complete(folder):
            return [Gallery.from_dict(known)]
        try:
            for one in order.values():
                self.engines.make(one.cell, one.key, setting.progress)
            gallery = Drawing(self.engines, setting.inputs, folder, setting.progress).draw(order)
        except Exception as error:  # the figures are worth more than their pictures
            setting.notes.append(f"There are no pictures of {self._name} at {size}: {explain_failure(error)}")
            return []
        setting.journal.add(subject, key, gallery.to_dict())
        return [gallery]
