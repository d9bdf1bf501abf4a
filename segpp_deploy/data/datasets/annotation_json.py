"""JSON files that other tools wrote, read as typed values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from segpp_deploy.errors import SegppError, UnreadableFileError, first_problem, one_line

T = TypeVar("T")

Number = Annotated[float, Field(allow_inf_nan=False)]


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        UnreadableFileError: it is not there, or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        what = one_line(error.strerror or error)
        raise UnreadableFileError(
            f"{path} cannot be read: {what}.", "an annotation file.", "Check the path."
        ) from error


def parse_as(content: bytes, kind: type[T], path: Path, expected: str) -> T:
    """Return JSON as a value of a type.

    Args:
        content: of the file.
        kind: a pydantic model, or a list of such.
        path: the file, for messages.
        expected: what it should be, for messages.

    Raises:
        SegppError: it is no JSON, or not of that type.
    """
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        raise form_error(path, first_problem(error), expected) from error


def form_error(path: Path, found: str, expected: str) -> SegppError:
    """Return the error of a file that is readable and not of the form that is needed."""
    return SegppError(f"{path} cannot be used: {found}.", f"{expected}.", f"Name another file than {path.name}.")
