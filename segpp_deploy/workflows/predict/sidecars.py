"""What results are made of, noted beside them: a picture whose results are there and still fit need not be done again.

A note is written after the results it speaks of, so that there is none of what is not there; and it has their hashes,
so that it says nothing of files that came later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segpp_deploy.data.places import Place, fetched
from segpp_deploy.errors import SegppError
from segpp_deploy.files import MalformedFileError, read_json, sha256_of

FOLDER = "made_of"


@dataclass(frozen=True)
class Sidecar:
    """The note on one picture.

    Args:
        key: hash of all that the results depend on (`files.key_of`).
        files: hashes of the results by name.
        people: what was found, as entries of COCO's results; empty where nobody asked.
    """

    key: str
    files: Mapping[str, str]
    people: Sequence[dict[str, Any]] = ()

    def to_text(self) -> str:
        """Return the file's text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def is_of(self, key: str, results: Sequence[Place]) -> bool:
        """Whether all these results are there, and made as the key says."""
        noted = self.key == key and all(one.name in self.files for one in results)
        return noted and all(self.files[one.name] == _hash_of(one) for one in results)


def sidecar_place(source: Place, folder: Place) -> Place:
    """Return where the note on a picture goes whose results go to a directory."""
    return folder / FOLDER / f"{source.name}.json"


def read_sidecar(place: Place) -> Sidecar | None:
    """Return the note; None where there is none that can be read."""
    try:
        with fetched(place) as path:
            content = read_json(path)
        return Sidecar(str(content["key"]), dict(content["files"]), list(content["people"]))
    except (SegppError, MalformedFileError, KeyError, TypeError, ValueError):
        return None


def _hash_of(place: Place) -> str | None:
    try:
        with fetched(place) as path:
            return sha256_of(path)
    except (OSError, SegppError):
        return None
