"""Class names that the user gives in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segpp_deploy.errors import SegppError, one_line, quote
from segpp_deploy.files import MalformedFileError, read_text, read_yaml, require_file
from segpp_deploy.model.weights.training_record import TrainingRecord

_STRUCTURED = (".json", ".yaml", ".yml")
_EXPECTED = (
    "text with one name a line; or JSON or YAML: a list of names, of {name, color: [R, G, B]}, "
    "or index: name (id2label)."
)


def read_class_file(path: Path) -> TrainingRecord:
    """Return names, and colours where the file gives them.

    Raises:
        SegppError: missing, empty, or of another form.
    """
    path = require_file(path, "file with class names", "Check the path.")
    try:
        listed = _entries(read_yaml(path)) if path.suffix.lower() in _STRUCTURED else read_text(path).splitlines()
        entries = [entry for entry in listed if entry != ""]
        names = tuple(str(entry["name"] if isinstance(entry, dict) else entry).strip() for entry in entries)
        palette = tuple(_color(entry.get("color")) if isinstance(entry, dict) else None for entry in entries)
    except (MalformedFileError, OSError, ValueError, KeyError, TypeError) as error:
        raise _wrong(path, f"cannot be read as class names: {one_line(error)}") from error
    if not all(names) or not names:
        raise _wrong(path, "holds no class names" if not names else "holds an empty class name")
    return TrainingRecord(classes=names, palette=palette)


def _entries(content: Any) -> list[Any]:
    if isinstance(content, dict) and isinstance(content.get("id2label"), dict):
        content = content["id2label"]  # config.json of Hugging Face
    if isinstance(content, dict):
        numbered = {int(index): name for index, name in content.items()}
        if sorted(numbered) != list(range(len(numbered))):
            raise ValueError("the indices are not 0, 1, 2, ...")
        return [numbered[index] for index in sorted(numbered)]
    if not isinstance(content, list):
        raise ValueError("neither a list nor index: name")
    if not all(isinstance(entry, str | int | dict) for entry in content):
        raise ValueError("an entry is neither a name nor a mapping")
    return content


def _color(value: Any) -> tuple[int, int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(channel, int) and 0 <= channel <= 255 for channel in value):
        raise ValueError(f"color {quote(value)} is not [R, G, B]")
    red, green, blue = value
    return red, green, blue


def _wrong(path: Path, what: str) -> SegppError:
    return SegppError(f"{path} {what}.", _EXPECTED, f"Correct {path}.")
