"""Which packages an installation consists of, what asks for each, and under which licence it is.

    python -m benchmarks.toolchain.licences    install, look, record (some minutes, some GB)
    python -m benchmarks.pages.licences        write docs/licences.md from what was recorded

The package is installed as users do, with all extras but those for its development, into an environment of its own
that is removed again. pip-licenses reads the licences that packages state; what of other people's a wheel carries
inside is looked for by name, and FFmpeg is asked. What an extra names and this machine cannot install is listed as
`ELSEWHERE` says.
"""

from __future__ import annotations

import ctypes
import json
import platform
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.arguments import parse_parts
from benchmarks.declared import declared, extra_names
from benchmarks.recording import ROOT, Row, record
from benchmarks.toolchain.throwaway import Throwaway

FOR_DEVELOPMENT = frozenset({"dev", "peers"})
EXTRAS = tuple(name for name in extra_names() if name not in FOR_DEVELOPMENT)
ELSEWHERE = {
    "tensorrt": "LicenseRef-NVIDIA-Proprietary",  # its wheels come from NVIDIA's index
    "onnxruntime-gpu": "MIT",  # the same files as onnxruntime, which is here
}
"""Packages that are not installed here, and the licences that their pages state."""

CARRIED = {
    "libx264": "GPL-2.0-or-later",
    "libx265": "GPL-2.0-or-later",
    "libavcodec": "",  # FFmpeg: asked
    "libheif": "LGPL-3.0-or-later",
    "libde265": "LGPL-3.0-or-later",
    "libmp3lame": "LGPL-2.0-or-later",
    "libgnutls": "LGPL-2.1-or-later",
    "libgmp": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libnettle": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libQt5Core": "LGPL-3.0-only",
    "libgfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
}
"""Libraries with conditions of their own that wheels carry, by the beginning of their files' names."""

_UNKNOWN = "UNKNOWN"


def main() -> int:
    """Install, look, record."""
    parse_parts(__doc__)
    with tempfile.TemporaryDirectory() as name:
        installed, tools = Throwaway(Path(name) / "installed"), Throwaway(Path(name) / "tools")
        installed.install(f"{ROOT}[{','.join(name for name in EXTRAS if name != 'gpu')}]", *_installable("gpu"))
        tools.install("pip-licenses>=5.5")
        rows = list(describe(installed, tools))
    record("licences", {"python": platform.python_version(), "extras": EXTRAS, "rows": rows})
    return 0


def _installable(extra: str) -> list[str]:
    return [str(requirement) for requirement in _own(extra) if requirement.name not in ELSEWHERE]


def _own(extra: str) -> list[Requirement]:
    """Return what an extra names itself."""
    base = set(map(str, declared(())))
    return [requirement for requirement in declared((extra,)) if str(requirement) not in base]


def describe(installed: Throwaway, tools: Throwaway) -> Iterator[Row]:
    """Yield a row for each package of an environment that something of ours asks for, by name."""
    inspected = json.loads(installed.run("python", "-m", "pip", "inspect"))["installed"]
    packages: dict[str, Any] = {canonicalize_name(entry["metadata"]["name"]): entry for entry in inspected}
    asked = who_asks({name: entry["metadata"] for name, entry in packages.items()})
    stated = json.loads(
        tools.run("pip-licenses", f"--python={installed.python}", "--from=all", "--with-system", "--format=json")
    )
    licences: dict[str, str] = {canonicalize_name(entry["Name"]): licence_of(entry) for entry in stated}
    direct = {canonicalize_name(requirement.name) for requirement in declared(EXTRAS)}
    for name in sorted(asked):
        is_here = name in packages
        yield {
            "package": name,
            "version": packages[name]["metadata"]["version"] if is_here else None,
            "licence": licences[name] if is_here else ELSEWHERE[name],
            "asked_by": asked[name],
            "direct": name in direct,
            "carries": list(find_carried(Path(packages[name]["metadata_location"]))) if is_here else [],
        }


def who_asks(packages: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what asks for each package, directly or not: "" is the base, others are extras that the base does without.

    Args:
        packages: the metadata of what is installed, as `pip inspect` has it, by canonical name.
    """
    base = closure(packages, declared(()))
    asked = {name: [""] for name in base}
    for extra in EXTRAS:
        for name in closure(packages, declared((extra,))) - base:
            asked.setdefault(name, []).append(extra)
    return asked


def closure(packages: Mapping[str, Mapping[str, Any]], requirements: Iterable[Requirement]) -> set[str]:
    """Return the names of all that requirements lead to on this machine."""
    found: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in found:
                found.add((name, wanted))
                inner = packages.get(name, {}).get("requires_dist", ())
                waiting += [(Requirement(line), wanted) for line in inner]
    return {name for name, _ in found if name in packages or name in ELSEWHERE}


def licence_of(entry: Mapping[str, str]) -> str:
    """Return the licence that a package states: the expression, else the classifiers, else the first line of the text.

    Args:
        entry: of pip-licenses, from all sources.

    Example:
        >>> licence_of({"License-Expression": "UNKNOWN", "License-Classifier": "MIT License",
        ...             "License-Metadata": "MIT, see below"})
        'MIT License'
    """
    for source in ("License-Expression", "License-Classifier", "License-Metadata"):
        if (text := entry[source].strip()) not in ("", _UNKNOWN):
            return text.splitlines()[0]
    return _UNKNOWN


def find_carried(metadata: Path) -> Iterator[str]:
    """Yield the libraries of `CARRIED` in a package's wheel, with their licences.

    Args:
        metadata: the package's .dist-info folder, whose RECORD lists its files.
    """
    record_file = metadata / "RECORD"
    lines = record_file.read_text(encoding="utf-8").splitlines() if record_file.is_file() else []
    files = sorted(line.partition(",")[0] for line in lines)
    for name, licence in CARRIED.items():
        pattern = re.compile(rf"(^|/){name}\b[^/]*\.so[^/]*$")
        carried = next((file for file in files if pattern.search(file)), None)
        if carried is not None:
            path = metadata.parent / carried
            yield f"{name} ({licence or ask_ffmpeg(path.parent)})"


def ask_ffmpeg(folder: Path) -> str:
    """Return the licence that an FFmpeg says it was configured for."""
    library = ctypes.CDLL(str(next(folder.glob("libavutil*.so*"))))
    library.avutil_license.restype = ctypes.c_char_p
    licence: bytes = library.avutil_license()
    return licence.decode()


if __name__ == "__main__":
    raise SystemExit(main())
