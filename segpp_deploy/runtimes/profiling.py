"""Running a session to profile it."""

from __future__ import annotations

from segpp_deploy.graph.contract import noise_images
from segpp_deploy.runtimes.session import OperationTime, ProfiledSession


def profile_session(session: ProfiledSession, runs: int, warmup: int) -> tuple[OperationTime, ...]:
    """Run a session on noise, close it and return the mean times of its operations, the longest first.

    Args:
        session: opened with `SessionOptions(profile=True)`.
        runs: how many runs count.
        warmup: how many before them do not.
    """
    images = noise_images(session.metadata)
    for _ in range(warmup + runs):
        session.run(images)
    return session.operation_times(skip_runs=warmup)
