"""A Debian for aarch64 in a folder, with Python packages for it, and commands run there by QEMU.

Nothing of the machine changes. Packages are unpacked and not configured, so that nothing of them has to run; and the
kernel hears of the emulator in a user namespace (Linux 6.7 and later), which ends with the command.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.recording import ROOT
from benchmarks.toolchain.throwaway import CONSTRAINTS
from benchmarks.toolchain.tool import run_tool

PYTHON = "python3.11"
CHECKOUT, SITE, CACHE = "/segpp-deploy", f"/usr/local/lib/{PYTHON}/dist-packages", "/cache"
"""Where in the root this checkout lies, what pip installed, and our own cache."""

CPU = "cortex-a76"
"""Of the processors that QEMU 7.2 knows the nearest to a Jetson Orin's Cortex-A78AE."""

_SUITE = "bookworm"
_PACKAGES = ("bash", "coreutils", "dash", "libgl1", "libglib2.0-0", PYTHON)
_PLATFORM = "aarch64-manylinux_2_36"
_QEMU = "qemu-aarch64-static"
_BOOTSTRAP = "mmdebstrap"
_ELF_OF_AARCH64 = (
    r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff",
)
# Without /sys: ONNX Runtime crashes where that is another processor's, and does without it.
_ENTER = """set -e
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf %s "$2" > /proc/sys/fs/binfmt_misc/register
root=$1; shift 2
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Root:
    """A root with Python and packages; below it lie `CHECKOUT`, `SITE` and `CACHE`."""

    folder: Path

    def inside(self, path: str) -> Path:
        """Return where a path of the root lies here."""
        return self.folder / path.lstrip("/")

    def copy_checkout(self) -> None:
        """Lay the files that git knows into the root, as they are now."""
        target = self.inside(CHECKOUT)
        shutil.rmtree(target, ignore_errors=True)
        for name in filter(None, run_tool(["git", "ls-files", "-z"]).split("\0")):
            if (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target / name)

    def python(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run Python in the checkout on one thread, with the options of `subprocess.run`."""
        qemu = shutil.which(_QEMU) or _QEMU
        magic, mask = _ELF_OF_AARCH64
        emulator = f":qemu-aarch64:M::{magic}:{mask}:{qemu}:FP"
        alone = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "USER": "root",  # PyTorch asks for the name, and no file of users is here
            "LANG": "C.UTF-8",
            "PYTHONPATH": CHECKOUT,
            "SEGPP_CACHE": CACHE,
            "OMP_NUM_THREADS": "1",
            "QEMU_CPU": CPU,
        }
        # Python is not the namespace's first process, which signals would not end.
        inside = ["sh", "-c", 'cd "$0" && "$@"; exit $?', CHECKOUT, PYTHON, *words]
        command = [*alone, "sh", "-c", _ENTER, "sh", str(self.folder), emulator, *inside]
        return subprocess.run(command, env=variables, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def make_root(requirements: Sequence[str]) -> Root:
    """Return the root with these packages, of the versions in constraints/cpu.txt; it is kept below build/."""
    for program in (_QEMU, _BOOTSTRAP):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is missing: sudo apt install mmdebstrap qemu-user-static")
    facts = (_SUITE, *_PACKAGES, _PLATFORM, SITE, *requirements, CONSTRAINTS.read_text(encoding="utf-8"))
    folder = ROOT / "build/aarch64_root" / hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]
    root = Root(folder / "root")
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _unpack_debian(root.folder)
        _install(root.inside(SITE), requirements)
        (folder / "complete").touch()
    return root


def qemu_version() -> str:
    """Return such as "7.2.22"."""
    match = re.search(r"version (\S+)", run_tool([_QEMU, "--version"]))
    return match[1] if match else "unknown"


def _unpack_debian(folder: Path) -> None:
    include = ",".join(_PACKAGES)
    run_tool([_BOOTSTRAP, "--variant=extract", "--architectures=arm64", f"--include={include}", _SUITE, str(folder)])


def _install(site: Path, requirements: Sequence[str]) -> None:
    # What is compiled to bytecode here takes no time under the emulator.
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "--target", str(site)]
    command += ["--python-platform", _PLATFORM, "--python-version", PYTHON.removeprefix("python")]
    command += ["--no-python-downloads", "--only-binary", ":all:", "--constraint", str(CONSTRAINTS), *requirements]
    run_tool(command)
