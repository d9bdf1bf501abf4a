"""The tool of NVIDIA's driver."""

from __future__ import annotations

import shutil
import subprocess

_TIMEOUT_S = 10


def ask_nvidia_smi(*arguments: str) -> str:
    """Return what `nvidia-smi` prints; "" where it is not there, or has no working driver: no GPU to speak of."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, *arguments]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout
