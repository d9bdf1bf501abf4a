"""torch's pickled checkpoints, read so that nothing in them can run.

`weights_only=True` always. Frameworks store more than tensors beside the weights (numpy's scalars, mmengine's
HistoryBuffer, a loss among Lightning's hyper-parameters, the whole module); those names are bound to inert stand-ins,
never to the real class, so nothing is imported or executed. Names of Python's own library, which no checkpoint needs,
are refused: such a file is hostile.
"""

from __future__ import annotations

import pickle
import re
import shlex
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch

from segpp_deploy.errors import SegppError, one_line, quote, shorten
from segpp_deploy.model.weights.inert import (
    Inert,
    InertArray,
    InertDict,
    InertDtype,
    InertList,
    InertScalar,
    readable,
)

# Python's own names that honest checkpoints hold: a stand-in takes their place too.
_HARMLESS_MODULES = {"argparse", "collections", "datetime", "enum", "functools", "pathlib", "uuid"}
_HARMLESS_NAMES = {
    "builtins.getattr",  # how mmengine's HistoryBuffer stores its methods
    *(f"builtins.{name}" for name in ("object", "dict", "list", "tuple", "int", "float", "str", "bool", "frozenset")),
    "copyreg._reconstructor",
    "types.SimpleNamespace",
}
_KINDS: dict[str, type] = {
    "numpy.dtype": InertDtype,
    "numpy.core.multiarray._reconstruct": InertArray,
    "numpy._core.multiarray._reconstruct": InertArray,
    "numpy.core.multiarray.scalar": InertScalar,
    "numpy._core.multiarray.scalar": InertScalar,
    "collections.defaultdict": InertDict,
    "builtins.dict": InertDict,
    "builtins.list": InertList,
}
_MOST_NAMES = 500  # a file with more foreign names is no checkpoint

# Keeps tensors, numbers and text of dictionaries, lists and modules: what this package reads.
_RESAVE = (
    "import torch; "
    "t = lambda o: t(o.state_dict()) if hasattr(o, 'state_dict') else "
    "{{k: t(v) for k, v in o.items()}} if isinstance(o, dict) else [t(v) for v in o] if isinstance(o, (list, tuple)) "
    "else o if isinstance(o, (torch.Tensor, str, int, float)) else None; "
    "torch.save(t(torch.load({path!r}, map_location='cpu', weights_only=False)), {target!r})"
)
_FROM_SCRIPT = "import torch; torch.save(torch.jit.load({path!r}, map_location='cpu').state_dict(), {target!r})"


def load_pickle(path: Path, *, is_zip: bool) -> Any:
    """Return the content of a torch file: numpy's arrays as lists, modules as state dicts, stand-ins for the rest.

    Raises:
        SegppError: truncated, damaged or TorchScript, or holding what only an attack needs.
    """
    if is_zip and _is_script(path):
        raise SegppError(
            f"{path} is a TorchScript file: its weights lie in a program.",
            "a checkpoint as torch.save wrote it.",
            _python(_FROM_SCRIPT, path),
        )
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path) if is_zip else ()
        return readable(_load(path, list(foreign)))
    except (MemoryError, SegppError):
        raise
    except Exception as error:  # the readers of torch and zip raise what the bytes lead them to
        raise _damaged(path, error) from error


def _load(path: Path, foreign: list[str]) -> Any:
    """Load with a stand-in for each foreign name; torch's refusals tell which are lacking or of another kind."""
    _require_harmless(path, foreign)
    kinds = {name: _KINDS.get(name, Inert) for name in foreign}
    for _ in range(_MOST_NAMES):
        bound: list[Any] = [(_stand_in(name, kind), name) for name, kind in kinds.items()]
        try:
            with torch.serialization.safe_globals(bound), open(path, "rb") as stream:  # a path is judged by its suffix
                return torch.load(stream, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            name, kind = _lacking(str(error))
            if not name or kinds.get(name) is kind:
                raise _unreadable(path, error) from error
            _require_harmless(path, [name])
            kinds[name] = kind
    raise _refused(path, sorted(kinds))


def _lacking(message: str) -> tuple[str, type]:
    """Return the name that torch did not know how to load, and what stands for it; "" for another failure."""
    unknown = re.search(r"GLOBAL (\S+)", message)
    if unknown:
        name = unknown[1] if "." in unknown[1] else f"builtins.{unknown[1]}"  # as torch shortens it
        return name, _KINDS.get(name, Inert)
    container = re.search(r"Can only (?:SETITEM|append|extend).*got <class 'stand_in\.(\S+)'>", message)
    if container is None:
        return "", Inert
    return container[1], InertDict if "SETITEM" in message else InertList


def _stand_in(name: str, kind: type) -> type:
    """Return a class of its own for each name, so that torch's messages say which one they mean."""
    return type(name, (kind,), {"__module__": "stand_in", "__qualname__": name})


def _require_harmless(path: Path, names: list[str]) -> None:
    refused = sorted(name for name in names if not _is_harmless(name))
    if refused:
        raise _refused(path, refused)


def _is_harmless(name: str) -> bool:
    module = name.partition(".")[0]
    return module not in sys.stdlib_module_names or module in _HARMLESS_MODULES or name in _HARMLESS_NAMES


def _is_script(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _python(program: str, path: Path) -> str:
    """Return the command that runs a program which makes a file beside nothing else: in the current folder."""
    return "python -c " + shlex.quote(program.format(path=str(path), target=f"{path.stem}_weights.pth"))


def _refused(path: Path, names: list[str]) -> SegppError:
    shown = ", ".join(map(quote, names[:4])) + (" ..." if len(names) > 4 else "")
    return SegppError(
        f"{path} was refused: besides tensors it holds {shown}, which loading would execute. Nothing was executed.",
        "a file with tensors only.",
        "If you trust the file all the same, write its tensors into another: " + _python(_RESAVE, path),
    )


def _unreadable(path: Path, error: Exception) -> SegppError:
    return SegppError(
        f"{path} holds what cannot be read without executing it: {shorten(_reason(error))}.",
        "a file with tensors only.",
        "If you trust the file, write its tensors into another where it was trained: " + _python(_RESAVE, path),
    )


def _reason(error: Exception) -> str:
    """Return what torch's unpickler said, without the advice that surrounds it."""
    said = str(error).partition("WeightsUnpickler error:")[2].strip() or str(error)
    return said.splitlines()[0].rstrip(".")


def _damaged(path: Path, error: Exception) -> SegppError:
    return SegppError(
        f"{path} is truncated, damaged or of another kind: torch cannot read it ({one_line(error)}).",
        "a complete file as torch.save wrote it.",
        "Download or copy it again and compare the size with the original.",
    )
