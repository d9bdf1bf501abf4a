"""Which point of the space is tried next: Optuna's NSGA-II, fed one trial after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segpp_deploy.errors import SegppError

_STRIDE = 1_000_003  # a prime: seeds of searches that begin near each other do not meet


def require_optuna() -> Any:
    """Return the library, with its own log silenced.

    Raises:
        SegppError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise SegppError(
            "The search needs optuna, which is not installed.", "the extra 'tune'.", "pip install 'segpp-deploy[tune]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@dataclass(frozen=True)
class Proposal:
    """A point of the space that is proposed, and Optuna's record of it."""

    params: Mapping[str, str]
    record: Any


class PlanSampler:
    """Proposes points of a search space; what it proposes follows from the seed and from what it was told.

    Source: Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", 2002. Children take every axis
    from one of two good parents, or at random; so plans that do well meet.

    Args:
        axes: the names of the choices, by axis.
        seed: of what is proposed.
        population: how many trials make a generation; the first generation is what is told before anything is proposed.

    Raises:
        SegppError: Optuna is not installed.
    """

    def __init__(self, axes: Mapping[str, Sequence[str]], seed: int, population: int) -> None:
        optuna = require_optuna()
        self._optuna = optuna
        self._axes = {
            name: optuna.distributions.CategoricalDistribution(tuple(choices)) for name, choices in axes.items()
        }
        self._seed = seed
        self._population = population
        self._study = optuna.create_study(directions=["minimize", "minimize"])
        self.begin_round(0)

    def begin_round(self, number: int) -> None:
        """Begin anew with random numbers of this round: a search that goes on proposes what it would have proposed."""
        self._study.sampler = self._optuna.samplers.NSGAIISampler(
            population_size=self._population, seed=(self._seed * _STRIDE + number) % 2**32
        )

    def propose(self) -> Proposal:
        """Return the next point of the round."""
        record = self._study.ask(self._axes)
        return Proposal(dict(record.params), record)

    def reject(self, proposal: Proposal) -> None:
        """Say that a proposal was not tried: nothing follows from it."""
        self._study.tell(proposal.record, state=self._optuna.trial.TrialState.FAIL)

    def accept(self, proposal: Proposal, objectives: tuple[float, float]) -> None:
        """Say what came of a proposal; both are the better the smaller they are."""
        self._study.tell(proposal.record, objectives)

    def teach(self, params: Mapping[str, str], objectives: tuple[float, float]) -> None:
        """Tell a trial that was not proposed, or in an earlier run."""
        self._study.enqueue_trial(dict(params))
        record = self._study.ask(self._axes)
        # Where every axis is given the sampler is not asked, and would not count the trial to a generation.
        sampler = self._study.sampler
        generation = sampler.get_trial_generation(self._study, self._study.trials[record.number])
        sampler.get_parent_population(self._study, generation)
        self._study.tell(record, objectives)
