"""The states, each a function from the signs to a diagnosis or None, in the order in which they are asked."""

from collections.abc import Callable

from dcp.training.diagnosis.signs import FAST, Diagnosis, Signs

COMPLETE = 0.1  # spread below this: the mean direction alone has a length above 0.995 of 1
DIMENSIONAL = 1.25  # effective rank below this: nearly all variation is along one line
GROWN, SHRUNK = 100.0, 0.01  # norm of the projections, by that of the untrained network
DEAD = 0.5  # share of the dimensions that do not vary
BEHIND = 0.1  # lag of F
UNALIGNED = 0.5  # alignment of W with F's eigenvectors
ALIKE = 0.05  # invariance of the untrained network
STRANGERS = 0.85  # invariance of the trained one


def blow_up(signs: Signs) -> Diagnosis | None:
    """Projections grow without end; those that were made small at the start may grow by as much besides."""
    small = min(1.0, signs.setting("network.projector.init_scale") or 1.0)
    if not signs.norm > GROWN / small * signs.untrained["norm"]:
        return None
    times = f"{signs.norm / signs.untrained['norm']:,.0f} times as long"
    evidence = f"projections are {times} as those of {signs.beginning}"
    return Diagnosis("norm blow-up", evidence)


def vanishing(signs: Signs) -> Diagnosis | None:
    """Projections shrink to nothing."""
    if not signs.norm < SHRUNK * signs.untrained["norm"]:
        return None
    share = signs.norm / signs.untrained["norm"]
    return Diagnosis("vanishing", f"projections have {share:.2g} of the length that {signs.beginning} gives them")


def dead_projector(signs: Signs) -> Diagnosis | None:
    """Many outputs of the projector are the same for every image."""
    if not signs.dead > DEAD:
        return None
    return Diagnosis("dead projector", f"{signs.dead:.0%} of the projector's outputs are the same for every image")


def complete_collapse(signs: Signs) -> Diagnosis | None:
    """All images get one projection."""
    if not signs.spread < COMPLETE:
        return None
    evidence = f"all images get nearly the same projection: spread {signs.spread:.3f} of 1, below {COMPLETE}"
    return Diagnosis("complete collapse", evidence)


def frozen_target(signs: Signs) -> Diagnosis | None:
    """The target never follows."""
    if signs.setting("target.tau") != 1:
        return None
    distance = signs.last.get("target_distance", 0.0)
    evidence = f"the target keeps the weights it began with; the online branch is {distance:.2f} of their size away"
    repeated = "those features" if signs.starts_trained else "random features"
    return Diagnosis("frozen target", evidence).because(
        f"target.tau = 1 leaves the target as it is: the encoder learns to repeat {repeated}",
        "a target that follows: target.tau = 0.99 to 0.999",
    )


def stale_moments(signs: Signs) -> Diagnosis | None:
    """F describes projections of long ago."""
    lag = signs.last.get("lag", 0.0)
    is_set = signs.setting("predictor.every") is not None
    if not (is_set and lag > BEHIND):
        return None
    evidence = f"F resembles this batch less than its halves resemble each other, by {lag:.2f} of 1"
    return Diagnosis("moments stale", evidence)


def unaligned(signs: Signs) -> Diagnosis | None:
    """A learnt matrix has not taken on F's eigenvectors, as those of the linear theory do."""
    alignment = signs.last.get("alignment")
    of_the_theory = signs.fact("predictor.aligns") and signs.fact("objective.aligns")
    if not of_the_theory or alignment is None or not (signs.late and alignment < UNALIGNED):
        return None
    evidence = f"only {alignment:.2f} of W lies in F's eigenvectors (1 is all of it)"
    return Diagnosis("predictor not aligned", evidence)


def too_fast(signs: Signs) -> Diagnosis | None:
    """Each step throws the weights about."""
    if not signs.fastest > FAST:
        return None
    evidence = f"single steps changed the weights by {signs.fastest:.0%} of their size and more"
    return Diagnosis("learning rate too high", evidence)


def weak_views(signs: Signs) -> Diagnosis | None:
    """Views that even an untrained network takes for the same, where there is no teacher to learn from instead.

    One that starts collapsed tells no images apart, so it does not tell about views.
    """
    collapsed = signs.untrained["spread"] < COMPLETE
    if signs.fact("target.given") or signs.starts_trained or collapsed or not signs.untrained["invariance"] < ALIKE:
        return None
    evidence = (
        "to the untrained network the views of an image are nearly the same already: their distance is "
        f"{signs.untrained['invariance']:.3f} of that between images"
    )
    return Diagnosis("views too weak", evidence)


def strong_views(signs: Signs) -> Diagnosis | None:
    """Views that have nothing in common to the end."""
    if not (signs.late and signs.invariance > STRANGERS):
        return None
    evidence = f"views of one image are {signs.invariance:.2f} times as far apart as views of different images"
    return Diagnosis("views too strong", evidence)


def dimensional_collapse(signs: Signs) -> Diagnosis | None:
    """Projections vary along one line."""
    if not signs.effective_rank < DIMENSIONAL:
        return None
    evidence = (
        f"projections vary along {signs.effective_rank:.2f} dimensions only, fewer than {DIMENSIONAL} "
        f"(spread {signs.spread:.2f} of 1)"
    )
    return Diagnosis("dimensional collapse", evidence)


STATES: tuple[Callable[[Signs], Diagnosis | None], ...] = (
    blow_up,
    vanishing,
    weak_views,
    complete_collapse,
    too_fast,
    dead_projector,
    frozen_target,
    stale_moments,
    unaligned,
    dimensional_collapse,
    strong_views,
)
