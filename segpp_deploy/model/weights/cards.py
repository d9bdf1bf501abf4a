"""Find and read model cards, and get at their checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, quote, shorten, suggest_name, unknown_name_error
from segpp_deploy.files import MalformedFileError, read_yaml, require_file
from segpp_deploy.model.weights.card_schema import ModelCard
from segpp_deploy.model.weights.download import cached_path, check_sha256, fetch

CARD_FOLDERS_VARIABLE = "SEGPP_MODELS"
CARD_SUFFIXES = (".yaml", ".yml")
_PACKAGE = Path(__file__).parent.parent.parent


def card_folders() -> list[Path]:
    """Return the folders that are searched for cards, first match wins.

    The folder in the environment variable SEGPP_MODELS, the repository's `models/` when running from a checkout, and
    the copy of `models/` that the wheel carries (setup.py puts it there).
    """
    candidates = [_PACKAGE / "model_cards"]
    if (_PACKAGE.parent / "pyproject.toml").is_file():  # beside an installed package, `models` would be someone else's
        candidates.insert(0, _PACKAGE.parent / "models")
    chosen = os.environ.get(CARD_FOLDERS_VARIABLE)
    if chosen:
        candidates.insert(0, Path(chosen))
    return [folder for folder in candidates if folder.is_dir()]


def list_cards() -> list[str]:
    """Return the names of the cards that `load_card` finds, sorted."""
    return sorted({path.stem for folder in card_folders() for path in folder.glob("*.yaml")})


def load_card(name_or_path: str) -> ModelCard:
    """Read a card by its name, or from a YAML file.

    Raises:
        SegppError: no such card (the message suggests the closest name), or a field is wrong.
    """
    if name_or_path.endswith(CARD_SUFFIXES):
        fix = commands.help_of("export") + " lists how to name a model."
        return _read_card(require_file(Path(name_or_path), "model card (YAML)", fix))
    for folder in card_folders():
        path = folder / f"{name_or_path}.yaml"
        if path.is_file():
            return _read_card(path)
    raise unknown_name_error("model", name_or_path, [*list_cards(), "a card file (*.yaml)"])


def keep_quiet(_message: str) -> None:
    """Tell nobody."""


def resolve_card_checkpoint(card: ModelCard, tell: Callable[[str], None] = keep_quiet) -> Path:
    """Return the path of the card's weights: beside the card, or in the cache, downloaded if need be.

    Args:
        card: from `load_card`.
        tell: is given a line when a download begins, and when the hash of a first one is recorded.

    Raises:
        SegppError: the card names no weights, the file is missing, the download fails, or the hash is another.
    """
    source = card.checkpoint
    if source.file:
        path = require_file(card.folder / source.file, f"checkpoint of the model card {card.name}", _own_weights(card))
        check_sha256(path, source.sha256, f"Restore {path}, or correct sha256 in the card.")
        return path
    if not source.url:
        raise SegppError(f"The model card {card.name} names no weights.", "a file or an address.", _own_weights(card))
    return fetch(source.url, cached_path(card.name, source.url), source.sha256, tell)


def _own_weights(card: ModelCard) -> str:
    where = f"Download them from {card.checkpoint.page} and g" if card.checkpoint.page else "G"
    return f"{where}ive your own weights: " + commands.export(card.name, checkpoint="FILE")


def _read_card(path: Path) -> ModelCard:
    try:
        content = read_yaml(path)
    except MalformedFileError as error:
        raise SegppError(f"{path} is not YAML: {error}.", "a model card.", f"Correct {path}.") from error
    if not isinstance(content, dict):
        raise SegppError(f"{path} holds no mapping.", "a model card.", f"Correct {path}.")
    try:
        card = ModelCard.model_validate(content)
    except (ValidationError, SegppError) as error:
        raise _card_error(path, error) from error
    if card.name != path.stem:
        raise SegppError(
            f"The card {path} is called {quote(card.name)}.",
            f"name: {path.stem} (the file's name).",
            "Rename the file or the card.",
        )
    card._folder = path.resolve().parent
    return card


def _card_error(path: Path, error: ValidationError | SegppError) -> SegppError:
    """Name the file and the first wrong field."""
    if isinstance(error, SegppError):  # raised by parse_size inside a validator
        return SegppError(f"{path}: {error.what}", error.expected, error.fix)
    problems: list[Any] = list(error.errors())
    first = problems[0]
    field = shorten(".".join(str(part) for part in first["loc"]))
    subject = f"Field {field}" if field else "Something"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    unknown = first["type"] == "extra_forbidden"
    suggestion = suggest_name(str(first["loc"][-1]), ModelCard.model_fields) if unknown else ""
    is_plain = isinstance(first["input"], str | int | float | None)
    got = f"; got {quote(first['input'])}" if is_plain and first["type"] != "missing" else ""
    return SegppError(
        f"{subject} in the model card {path} is wrong: {shorten(first['msg'])}{more}.",
        f"what segpp_deploy/model/weights/card_schema.py describes{got}.",
        f"{suggestion} Correct {path}.".strip(),
    )
