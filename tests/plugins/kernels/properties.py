"""Settings that the property-based tests of all kernels share."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, settings

DTYPES = (torch.float32, torch.float16)

# The fixture is a loaded library, which examples may share.
KERNEL_SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
