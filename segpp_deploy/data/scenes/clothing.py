"""Colours of people and of what they wear."""

from __future__ import annotations

import numpy as np

from segpp_deploy.data.scenes.canvas import Colour

SKINS: tuple[Colour, ...] = ((224, 178, 148), (196, 146, 112), (142, 98, 72), (92, 62, 48))
HAIRS: tuple[Colour, ...] = ((38, 30, 26), (84, 58, 40), (150, 118, 70), (150, 150, 150))


def sample_cloth(rng: np.random.Generator, dark: bool = False) -> Colour:
    """Draw the colour of a piece of clothing; many are as dark as the street."""
    if rng.random() < 0.55:
        grey = rng.uniform(25, 90) if dark else rng.uniform(35, 200)
        return grey, grey * 0.98, grey * 1.05
    peak = 110 if dark else 205
    return rng.uniform(25, peak), rng.uniform(25, peak), rng.uniform(25, peak)


def dim(colour: Colour, factor: float) -> Colour:
    """Return a darker or lighter colour."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
