"""From an engine file to a session, through its manifest."""

from __future__ import annotations

import importlib
from pathlib import Path

from segpp_deploy.engine.verify import verify_engine
from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions
from segpp_deploy.runtimes.target import TargetName

# "module:class" by target; a class takes (engine, manifest, options)
_SESSIONS = {
    TargetName.CPU: "segpp_deploy.runtimes.onnxruntime.session:OnnxRuntimeSession",
    TargetName.CUDA: "segpp_deploy.runtimes.onnxruntime.session:OnnxRuntimeSession",
    TargetName.OPENVINO: "segpp_deploy.runtimes.openvino.session:OpenVinoSession",
    TargetName.TENSORRT: "segpp_deploy.runtimes.tensorrt.session:TensorRtSession",
    TargetName.TENSORRT_RTX: "segpp_deploy.runtimes.tensorrt.session:TensorRtSession",
}


def open_session(engine: Path, options: SessionOptions | None = None) -> ProfiledSession:
    """Load an engine file that `build-engine` wrote.

    Raises:
        SegppError: what `verify_engine` raises, before the file is loaded; or the runtime cannot load it.
    """
    engine = Path(engine)
    manifest = verify_engine(engine)
    module, _, name = _SESSIONS[manifest.target].partition(":")
    session: ProfiledSession = getattr(importlib.import_module(module), name)(
        engine, manifest, options or SessionOptions()
    )
    return session
