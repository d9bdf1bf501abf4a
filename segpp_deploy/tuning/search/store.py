"""The search's state in a file: every trial, written whole after each, and what they were found out for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, one_line, quote, some_names
from segpp_deploy.files import MalformedFileError, read_json, write_text
from segpp_deploy.tuning.search.trial import Trial

SCHEMA_VERSION = 1


class TrialStore:
    """Trials in the order they were made, and the question they answer: a search goes on only with the same.

    Args:
        path: the file.
        resume: take the trials that are there.

    Raises:
        SegppError: there are trials and they are not to be taken, or the file is no state of a search.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        self._path = path
        self.question: dict[str, Any] = {}
        self.trials: list[Trial] = []
        if not path.exists():
            return
        if not resume:
            raise SegppError(
                f"{path} holds the trials of an earlier search.",
                "a directory without any, or a search that goes on.",
                commands.option("resume") + ", or another directory with " + commands.option("out", "DIR"),
            )
        self._read()

    def ask(self, question: Mapping[str, Any]) -> None:
        """Say what the trials answer, in plain JSON values.

        Raises:
            SegppError: those that are there answer another question.
        """
        differing = [name for name, value in question.items() if self.question.get(name, value) != value]
        if differing:
            raise SegppError(
                f"The trials in {self._path} answer another question: {some_names(differing)} differ.",
                "the options of the search that is to go on, but for its time and number of trials.",
                "Use those options, or another directory with " + commands.option("out", "DIR") + ".",
            )
        self.question = dict(question)

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        self.trials.append(trial)
        self.save()

    def replace(self, old: Trial, new: Trial) -> None:
        """Put what is known now in the place of what was known."""
        self.trials[self.trials.index(old)] = new
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "question": self.question,
            "trials": [trial.to_dict() for trial in self.trials],
        }
        write_text(self._path, json.dumps(content) + "\n")

    def _read(self) -> None:
        try:
            content = read_json(self._path)
            if content["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"its version is {quote(content['schema_version'])}")
            self.question = dict(content["question"])
            self.trials = [Trial.from_dict(values, self._path.name) for values in content["trials"]]
        except (MalformedFileError, KeyError, TypeError, ValueError, AttributeError, SegppError) as error:
            raise SegppError(
                f"{self._path} is no state of a search: {one_line(error)}.",
                "the file as a search wrote it.",
                "Move it away and begin anew.",
            ) from error
