"""torch's pickled checkpoints, read so that nothing in them can run.

`weights_only=True` always. Training frameworks store more than tensors beside the weights (mmengine: numpy scalars and
its HistoryBuffer); those names are bound to an inert stand-in, never to the real class, so they are skipped without
being executed. Every other name that torch does not allow is refused.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from segpp_deploy.errors import SegppError, one_line, quote

# What is known to lie in training checkpoints; a stand-in takes its place, so even these run nothing.
_SKIPPED_PACKAGES = {"numpy", "mmengine", "mmcv", "mmseg", "mmpose", "collections", "datetime", "pathlib", "argparse"}
_SKIPPED_NAMES = {"builtins.getattr"}  # how mmengine's HistoryBuffer stores its methods
_RESAVE = (
    "On a machine and in an environment where you trust this file: "
    "python -c \"import torch, safetensors.torch as st; c = torch.load('{name}', weights_only=False); "
    "s = c.get('state_dict', c); st.save_file({{k: v.contiguous() for k, v in s.items()}}, 'weights.safetensors')\""
)


class _Skipped:
    """Stands for an object that is not a tensor: takes anything, keeps nothing, does nothing."""

    def __new__(cls, *_args: object, **_kwargs: object) -> _Skipped:
        return super().__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...


def load_pickle(path: Path, *, is_zip: bool) -> Any:
    """Return the content of a torch file, with stand-ins for what is not a tensor.

    Raises:
        SegppError: truncated or damaged, or holding something that would have to be executed.
    """
    try:
        foreign = set(torch.serialization.get_unsafe_globals_in_checkpoint(path)) if is_zip else set()
        refused = sorted(name for name in foreign if not _is_skipped(name))
        if refused:
            raise _refused(path, refused)
        stand_ins = torch.serialization.safe_globals([(_Skipped, name) for name in foreign])
        with stand_ins, open(path, "rb") as stream:  # given a path, torch would go by its suffix
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|unrecognized function|class) (\S+)", str(error))
        raise (_refused(path, [found[1]]) if found else _damaged(path, error)) from error
    except (MemoryError, SegppError):
        raise
    except Exception as error:  # the readers of torch and zip raise what the bytes lead them to
        raise _damaged(path, error) from error


def _is_skipped(name: str) -> bool:
    return name.partition(".")[0] in _SKIPPED_PACKAGES or name in _SKIPPED_NAMES


def _refused(path: Path, names: list[str]) -> SegppError:
    shown = ", ".join(map(quote, names[:4])) + (" ..." if len(names) > 4 else "")
    return SegppError(
        f"{path} was refused: besides tensors it holds {shown}, which loading would execute. Nothing was executed.",
        "a file with tensors only.",
        _RESAVE.format(name=path.name),
    )


def _damaged(path: Path, error: Exception) -> SegppError:
    return SegppError(
        f"{path} is truncated, damaged or of another kind: torch cannot read it ({one_line(error)}).",
        "a complete file as torch.save wrote it.",
        "Download or copy it again and compare the size with the original.",
    )
