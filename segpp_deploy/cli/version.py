"""`segpp-deploy --version`: the version, and what else a report of a fault should name."""

from __future__ import annotations

import platform

from segpp_deploy import __version__
from segpp_deploy.commands import PROGRAM
from segpp_deploy.versions import describe_python, find_commit, installed_packages


def describe_build() -> str:
    """Return lines of names and values; the first is the program's name and version alone, for scripts."""
    from segpp_deploy.plugin_library.library import has_plugin_library

    facts = {
        "commit": find_commit() or "unknown",
        "Python": f"{describe_python()} on {platform.system()} {platform.machine()}",
        **installed_packages(),
        "TensorRT plugins": "built" if has_plugin_library() else "not built",
    }
    return "\n".join([f"{PROGRAM} {__version__}", *(f"{name}: {value}" for name, value in facts.items())])
