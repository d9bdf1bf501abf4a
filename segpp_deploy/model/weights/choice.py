"""Which of a checkpoint's models is taken, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, some_names
from segpp_deploy.model.weights.state_dicts import StateDict

EMA, PLAIN = "ema", "plain"


def choose_state_dict(found: Sequence[StateDict], wanted: str | None, where: str) -> StateDict:
    """Return the one model, or the moving average if there is one, as training frameworks deploy it.

    Args:
        found: at least one.
        wanted: `ema`, `plain`, or the name of one; None for the default.
        where: the file, for messages.

    Raises:
        SegppError: there is none as wanted, or several and nothing says which.
    """
    whole = [model for model in found if model.has_head] or list(found)
    if wanted in (EMA, PLAIN):
        chosen = [model for model in whole if model.is_averaged == (wanted == EMA)]
    elif wanted is not None:
        chosen = [model for model in whole if model.name == wanted.rstrip(".")]
    else:
        chosen = [model for model in whole if model.is_averaged] or whole
    if len(chosen) == 1:
        return chosen[0]
    names = [model.name for model in whole]
    if not chosen:
        kind = {EMA: "moving average of weights", PLAIN: "weights beside the moving average"}.get(wanted or "", "")
        raise SegppError(
            f"{where} holds no {kind or f'weights called {wanted!r}'}; it holds {some_names(names)}.",
            "what the file holds.",
            "Leave " + commands.option("weights") + " out, or name one: " + commands.option("weights", names[0]),
        )
    raise SegppError(
        f"{where} holds {len(chosen)} models: {some_names([model.name for model in chosen])}.",
        "one of them.",
        "Say which: " + commands.option("weights", chosen[0].name),
    )


def describe_choice(chosen: StateDict, found: Sequence[StateDict]) -> tuple[str, ...]:
    """Say which weights were taken where there are several, and what was left out, in sentences for the user."""
    notes = []
    others = [model.name for model in found if model is not chosen and model.has_head]
    if others:
        kind = "the moving average" if chosen.is_averaged else "the weights that were not averaged"
        is_pair = any(model.is_averaged for model in found)
        notes.append(f"Weights: {chosen.name}{f', {kind}' if is_pair else ''}; not taken: {some_names(others, 3)}.")
    of_models = {model.prefix + name for model in found for name in model.tensors}
    left_out = [name for name in chosen.left_out if name not in of_models]
    if left_out:
        notes.append(f"Left out, no part of the model: {some_names(left_out, 4)}.")
    return tuple(notes)
