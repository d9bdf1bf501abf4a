"""The timings of a model's rows: what the journal knows, and a race for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from segpp_deploy.data.images import write_image
from segpp_deploy.files import key_of
from segpp_deploy.workflows.compare.cells import Cell
from segpp_deploy.workflows.compare.engines import Engines
from segpp_deploy.workflows.compare.findings import Timed
from segpp_deploy.workflows.compare.race import Race, Racer
from segpp_deploy.workflows.compare.result import Row
from segpp_deploy.workflows.compare.setting import Setting, explain_failure

TIMED_PICTURES = 4
"""So many pictures are decoded, one after the other, where the whole way is timed."""


class Timings:
    """Finds them.

    Args:
        engines: makes what is timed, where it is gone.
        setting: of the comparison.
    """

    def __init__(self, engines: Engines, setting: Setting) -> None:
        self._engines = engines
        self._setting = setting

    def find(self, ready: Mapping[str, Row], baseline: str | None) -> dict[Cell, Row]:
        """Return rows with their timings, or with why they have none.

        Args:
            ready: rows of one size by their keys; their engines can run.
            baseline: the key of the one that speed-ups are over; None where it cannot run.
        """
        known = {key: found for key, row in ready.items() if (found := self._recall(row.cell, key, baseline))}
        failed: dict[str, str] = {}
        missing = [key for key in ready if key not in known]
        racers = [racer for key in missing if (racer := self._enter(ready[key].cell, key, failed))]
        if racers:
            leader = self._enter(ready[baseline].cell, baseline, failed) if baseline is not None else None
            for group in self._race(leader).run(racers):
                failed |= group.failed
                for key, timed in group.timed.items():
                    if key not in known:  # the baseline runs in every group, and keeps its first figures
                        known[key] = timed
                        self._note(ready[key].cell, key, baseline, timed)
        rows = {row.cell: replace(row, timed=known.get(key)) for key, row in ready.items()}
        for key in failed.keys() - known.keys():
            rows[ready[key].cell] = ready[key].failed(f"It could not be timed: {failed[key]}")
        return rows

    def _enter(self, cell: Cell, key: str, failed: dict[str, str]) -> Racer | None:
        """Return what is to be timed of a row; None where it cannot be made again."""
        try:
            self._engines.make(cell, key, self._setting.progress)
        except Exception as error:
            failed[key] = explain_failure(error)
            return None
        return Racer(key, self._engines.path(key), self._engines.opener(cell))

    def _race(self, baseline: Racer | None) -> Race:
        options = self._setting.options
        return Race(baseline, self._write_pictures(), options.iterations, options.threads, self._setting.progress)

    def _write_pictures(self) -> list[Path]:
        """Write a few pictures as cameras do, for the whole way from a file."""
        paths = []
        for number, sample in enumerate(self._setting.inputs.dataset.spread(TIMED_PICTURES)):
            path = self._setting.work / f"picture {number}.jpg"
            write_image(path, sample.load_image())
            paths.append(path)
        return paths

    def _recall(self, cell: Cell, key: str, baseline: str | None) -> Timed | None:
        found = self._setting.journal.find(_subject(cell), self._key(key, baseline))
        return None if found is None else Timed.from_dict(found)

    def _note(self, cell: Cell, key: str, baseline: str | None, timed: Timed) -> None:
        if timed.speedup is not None or baseline is None:  # where the baseline failed, the next run tries again
            self._setting.journal.add(_subject(cell), self._key(key, baseline), timed.to_dict())

    def _key(self, key: str, baseline: str | None) -> str:
        return key_of({"row": key, "baseline": baseline, "iterations": self._setting.options.iterations})


def _subject(cell: Cell) -> str:
    return f"latency: {cell}"
