"""Runs scripts of the conformance driver; `plugins/testing/conformance/driver.cpp` describes them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KINT32, KINT64, KFLOAT32 = 5, 10, 1
"""Of nvinfer1::PluginFieldType."""

KLINEAR = 0
"""Of nvinfer1::TensorFormat."""

TYPES = {"float32": 0, "float16": 1, "int32": 3}
"""Of nvinfer1::DataType."""


@dataclass(frozen=True)
class Answer:
    """What a command gave: its result or the reason of its failure, and the errors logged meanwhile."""

    is_ok: bool
    text: str
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Driver:
    """The driver with the libraries it opens; files in scripts are relative to `folder`."""

    program: Path
    tensorrt: Path
    plugins: Path
    folder: Path

    def run(self, *commands: str) -> list[Answer]:
        """Run commands in one process and return an answer to each."""
        script = self.folder / "script.txt"
        script.write_text("".join(f"{command}\n" for command in commands))
        done = subprocess.run(
            [self.program, self.tensorrt, self.plugins, script],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        answers = _parse_answers(done.stdout)
        assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert len(answers) == len(commands), done.stdout
        return answers

    def results(self, *commands: str) -> list[str]:
        """Run commands none of which may fail or log an error."""
        answers = self.run(*commands)
        for command, answer in zip(commands, answers, strict=True):
            assert answer.is_ok, f"{command}: {answer}"
            assert not answer.errors, f"{command}: {answer}"
        return [answer.text for answer in answers]

    def save(self, name: str, array: Array) -> str:
        """Write an array as a file and return the token of the tensor."""
        array.tofile(self.folder / name)
        return f"{tensor_token(array)}:{name}"

    def load(self, name: str, like: Array) -> Array:
        """Read a written tensor of the type and shape of `like`."""
        return np.fromfile(self.folder / name, like.dtype).reshape(like.shape)


def create_command(plugin: str, op: str, fields: Sequence[str], namespace: str = "segpp", phase: int = 0) -> str:
    """Return the command that creates a plugin."""
    return " ".join(["create", plugin, op, namespace or "-", str(phase), *fields])


def field_tokens(attributes: Mapping[str, int], field_type: int = KINT32) -> list[str]:
    """Return attributes as fields."""
    return [f"{name}:{field_type}:{value}" for name, value in attributes.items()]


def tensor_token(array: Array) -> str:
    """Return type, format and shape of an array."""
    return f"{TYPES[str(array.dtype)]}.{KLINEAR}:{'x'.join(map(str, array.shape))}"


def _parse_answers(output: str) -> list[Answer]:
    answers, errors = [], []
    for line in output.splitlines():
        kind, _, text = line.partition(" ")
        if kind == "log":
            errors.append(text.partition(" ")[2])
        elif kind in ("ok", "error"):
            answers.append(Answer(kind == "ok", text, tuple(errors)))
            errors = []
    return answers
