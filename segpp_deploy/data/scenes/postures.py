"""How a figure holds itself: angles of its joints, drawn for what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Generator = np.random.Generator


@dataclass(frozen=True)
class Limb:
    """An arm or a leg; all angles in radians, zero hangs straight down.

    Args:
        forward: how far the upper part is raised to the front.
        outward: how far it is raised to the side.
        bend: how far elbow or knee is bent.
        spin: which way it bends: 0 to the front, pi / 2 outwards, pi to the back.
    """

    forward: float
    outward: float
    bend: float
    spin: float = 0.0


@dataclass(frozen=True)
class Posture:
    """The angles of a whole figure, in radians.

    Args:
        legs, arms: left and right.
        lean: torso to the front.
        tilt: torso to the figure's left.
        twist: shoulders to the figure's left.
        turn: head to the figure's left, against the shoulders.
        nod: head to the front, against the shoulders.
        lift: height of the lower foot above the ground, as a share of the figure's height.
        seated: whether it sits on something.
    """

    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]
    lean: float = 0.0
    tilt: float = 0.0
    twist: float = 0.0
    turn: float = 0.0
    nod: float = 0.0
    lift: float = 0.0
    seated: bool = False

    def mirrored(self) -> Posture:
        """Return what a mirror shows: left and right have changed places."""
        return replace(
            self,
            legs=(self.legs[1], self.legs[0]),
            arms=(self.arms[1], self.arms[0]),
            tilt=-self.tilt,
            twist=-self.twist,
            turn=-self.turn,
        )


def sample_posture(rng: Generator) -> Posture:
    """Draw a posture: half of the figures stand or walk."""
    names = tuple(_POSTURES)
    shares = np.array([_POSTURES[name] for name in names])
    posture = names[int(rng.choice(len(names), p=shares / shares.sum()))](rng)
    if rng.random() < 0.5:
        posture = posture.mirrored()
    return replace(
        posture,
        tilt=posture.tilt + float(rng.normal(0, 0.04)),
        turn=float(np.clip(rng.normal(0, 0.4), -1.1, 1.1)),
        nod=float(rng.normal(0.05, 0.14)) - 0.6 * posture.lean,
    )


def _stand(rng: Generator) -> Posture:
    left, right = (_ARM_GESTURES[int(choice)] for choice in rng.integers(len(_ARM_GESTURES), size=2))
    return Posture(_straight_legs(rng), (left(rng), right(rng)), lean=_draw(rng, -0.05, 0.1))


def _walk(rng: Generator) -> Posture:
    swing = _draw(rng, 0.2, 0.5)
    legs = (_leg(rng, swing, _draw(rng, 0.0, 0.25)), _leg(rng, -swing * 0.9, _draw(rng, 0.1, 0.7)))
    arm = _draw(rng, 0.3, 0.9) * swing
    arms = (_arm(rng, -arm, _draw(rng, 0.1, 0.5)), _arm(rng, arm, _draw(rng, 0.2, 0.7)))
    return Posture(legs, arms, lean=_draw(rng, 0.0, 0.12), twist=_draw(rng, 0.0, 0.2))


def _run(rng: Generator) -> Posture:
    swing = _draw(rng, 0.55, 1.0)
    legs = (_leg(rng, swing, _draw(rng, 0.4, 1.1)), _leg(rng, -swing * 0.7, _draw(rng, 0.5, 1.7)))
    arms = (_arm(rng, -swing, _draw(rng, 1.2, 1.8)), _arm(rng, swing * 0.8, _draw(rng, 1.2, 1.9)))
    lean, lift = _draw(rng, 0.1, 0.35), _draw(rng, 0.0, 0.07)
    return Posture(legs, arms, lean=lean, twist=_draw(rng, 0.0, 0.3), lift=lift)


def _sit(rng: Generator) -> Posture:
    def leg() -> Limb:
        return Limb(_draw(rng, 1.3, 1.6), _draw(rng, 0.02, 0.35), _draw(rng, 1.1, 1.8), np.pi)

    def arm() -> Limb:
        return Limb(_draw(rng, 0.1, 0.7), _draw(rng, 0.05, 0.25), _draw(rng, 0.5, 1.4), _draw(rng, -0.5, 0.1))

    return Posture((leg(), leg()), (arm(), arm()), lean=_draw(rng, -0.2, 0.4), seated=True)


def _crouch(rng: Generator) -> Posture:
    def leg() -> Limb:
        return Limb(_draw(rng, 1.6, 2.1), _draw(rng, 0.1, 0.5), _draw(rng, 1.9, 2.4), np.pi)

    arms = (
        _arm(rng, _draw(rng, 0.5, 1.2), _draw(rng, 0.2, 1.2)),
        _arm(rng, _draw(rng, 0.3, 1.2), _draw(rng, 0.2, 1.2)),
    )
    return Posture((leg(), leg()), arms, lean=_draw(rng, 0.3, 0.7))


def _bow(rng: Generator) -> Posture:
    bend = _draw(rng, 0.1, 0.6)
    legs = (_leg(rng, _draw(rng, 0.1, 0.4), bend), _leg(rng, _draw(rng, 0.0, 0.3), bend))
    arms = (
        _arm(rng, _draw(rng, 0.6, 1.5), _draw(rng, 0.1, 0.6)),
        _arm(rng, _draw(rng, 0.4, 1.5), _draw(rng, 0.1, 0.6)),
    )
    return Posture(legs, arms, lean=_draw(rng, 0.6, 1.2), twist=_draw(rng, -0.2, 0.2))


def _raise_arms(rng: Generator) -> Posture:
    arms = (_raised_arm(rng), _raised_arm(rng))
    return Posture(_straight_legs(rng), arms, lean=_draw(rng, -0.1, 0.1))


def _wave(rng: Generator) -> Posture:
    return Posture(_straight_legs(rng), (_raised_arm(rng), _relaxed_arm(rng)), tilt=_draw(rng, -0.15, 0.05))


def _point(rng: Generator) -> Posture:
    return Posture(_straight_legs(rng), (_stretched_arm(rng), _relaxed_arm(rng)), twist=_draw(rng, -0.3, 0.3))


def _jump(rng: Generator) -> Posture:
    spread = _draw(rng, 0.1, 0.6)
    legs = tuple(Limb(_draw(rng, -0.2, 0.8), spread, _draw(rng, 0.1, 1.4), np.pi) for _ in range(2))
    arms = tuple(Limb(_draw(rng, -0.3, 0.5), _draw(rng, 0.9, 2.7), _draw(rng, 0.0, 0.8), np.pi / 2) for _ in range(2))
    return Posture((legs[0], legs[1]), (arms[0], arms[1]), lean=_draw(rng, -0.1, 0.3), lift=_draw(rng, 0.06, 0.25))


_POSTURES: dict[Callable[[Generator], Posture], float] = {
    _stand: 0.24,
    _walk: 0.26,
    _run: 0.1,
    _sit: 0.09,
    _crouch: 0.05,
    _bow: 0.04,
    _raise_arms: 0.07,
    _wave: 0.06,
    _point: 0.05,
    _jump: 0.05,
}
"""What figures do, and how often."""


def _draw(rng: Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _leg(rng: Generator, forward: float, bend: float) -> Limb:
    return Limb(forward, _draw(rng, -0.02, 0.1), bend, np.pi)


def _straight_legs(rng: Generator) -> tuple[Limb, Limb]:
    apart = _draw(rng, 0.0, 0.3) if rng.random() < 0.3 else 0.0
    left, right = (
        Limb(float(rng.normal(0, 0.08)), apart + _draw(rng, 0.0, 0.08), _draw(rng, 0.0, 0.2), np.pi) for _ in range(2)
    )
    return left, right


def _arm(rng: Generator, forward: float, bend: float) -> Limb:
    return Limb(forward, _draw(rng, 0.05, 0.25), bend, _draw(rng, -0.4, 0.1))


def _relaxed_arm(rng: Generator) -> Limb:
    return _arm(rng, float(rng.normal(0.05, 0.15)), _draw(rng, 0.05, 0.6))


def _raised_arm(rng: Generator) -> Limb:
    if rng.random() < 0.35:  # the upper arm level, the forearm upright
        return Limb(
            _draw(rng, -0.2, 0.4), _draw(rng, 1.1, 1.8), _draw(rng, 0.8, 1.9), np.pi / 2 + _draw(rng, -0.4, 0.4)
        )
    return Limb(_draw(rng, -0.2, 0.3), _draw(rng, 2.1, 3.0), _draw(rng, 0.0, 0.7), np.pi / 2 + _draw(rng, -0.5, 0.5))


def _stretched_arm(rng: Generator) -> Limb:
    if rng.random() < 0.5:
        return Limb(_draw(rng, 1.1, 1.7), _draw(rng, 0.0, 0.4), _draw(rng, 0.0, 0.3))
    return Limb(_draw(rng, -0.1, 0.4), _draw(rng, 1.1, 1.7), _draw(rng, 0.0, 0.3))


def _hand_on_hip(rng: Generator) -> Limb:
    return Limb(_draw(rng, -0.4, -0.1), _draw(rng, 0.6, 0.9), _draw(rng, 1.5, 2.0), _draw(rng, -1.3, -0.9))


def _folded_arm(rng: Generator) -> Limb:
    return Limb(_draw(rng, 0.2, 0.5), _draw(rng, 0.1, 0.3), _draw(rng, 1.5, 1.9), _draw(rng, -1.2, -0.8))


def _hand_before_face(rng: Generator) -> Limb:
    """As one holds a telephone."""
    return Limb(_draw(rng, 0.2, 0.7), _draw(rng, 0.1, 0.6), _draw(rng, 1.9, 2.5), _draw(rng, -0.5, 0.0))


_ARM_GESTURES = (_relaxed_arm, _relaxed_arm, _relaxed_arm, _hand_on_hip, _folded_arm, _hand_before_face)
