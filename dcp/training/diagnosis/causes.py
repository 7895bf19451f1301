"""Likely causes of a state, and what to try next: read from the recipe and from W, the surest first."""

from collections.abc import Callable

from dcp.training.diagnosis.signs import FAST, Diagnosis, Signs

Cause = tuple[str, str]  # what probably brought it about, and the next thing to try
EVEN = 0.9  # smallest by largest eigenvalue of W: above it W is a multiple of the identity for all that training sees
SMALL_START = 0.1  # scale of the last layer below which the projections begin nearly alike
HEAVY_DECAY = 1e-2  # weight decay per step of learning rate 1 beyond which it is named
COLLAPSES = ("complete collapse", "dimensional collapse", "vanishing")


def cause(diagnosis: Diagnosis, signs: Signs) -> Diagnosis:
    """The diagnosis with the first cause that its signs point to, or with general advice."""
    likely = next(filter(None, (look(diagnosis, signs) for look in LOOKS)), None)
    return diagnosis.because(*(likely or ("", GENERAL[diagnosis.name])))


def no_stop_gradient(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """Both branches learn, so that the shortest way to agreement is to say the same of every image."""
    if diagnosis.name not in COLLAPSES or signs.kept_apart or not signs.fact("target.gradient"):
        return None
    return (
        f'target.name = "{signs.setting("target.name")}" lets the gradient through both branches, '
        "and nothing else keeps images apart",
        'target.name = "ema", or "online" with a predictor',
    )


def no_predictor(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """Without a predictor agreement is reached by collapse (Tian, Chen, Ganguli 2021, section 3)."""
    if diagnosis.name not in COLLAPSES or signs.kept_apart or not signs.fact("predictor.identity"):
        return None
    return (
        f'predictor.name = "{signs.setting("predictor.name")}": without a predictor nothing keeps images apart',
        'predictor.name = "directcopy", "directpred", "linear" or "mlp"',
    )


def squared_with_norm(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """Under the squared distance a W of fixed size outlives every signal: the projections shrink to nothing."""
    norm = signs.setting("predictor.norm")
    if diagnosis.name not in COLLAPSES or not signs.fact("objective.squared") or norm in (None, "none"):
        return None
    return (
        f'the squared distance with predictor.norm = "{norm}": W keeps its size while the projections shrink',
        'predictor.norm = "none", or objective.name = "cosine"',
    )


def even_predictor(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """A W that treats all directions alike is no predictor."""
    evenness = signs.evenness
    if diagnosis.name not in COLLAPSES or evenness is None or not evenness > EVEN:
        return None
    if signs.setting("predictor.eps"):
        return (
            f"W is nearly a multiple of the identity (its eigenvalues lie within {1 - evenness:.0%}): eps outweighs F",
            f"a smaller predictor.eps, now {signs.setting('predictor.eps')}; 0.1 to 0.3 is usual",
        )
    return (
        f"W is nearly a multiple of the identity (its eigenvalues lie within {1 - evenness:.0%})",
        "a predictor that follows F: directcopy or directpred",
    )


def collapsed_start(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """Training that started collapsed need not have got out yet."""
    scale = signs.setting("network.projector.init_scale")
    if diagnosis.name not in COLLAPSES or scale is None or scale >= SMALL_START:
        return None
    return (
        f"network.projector.init_scale = {scale:g}: the projections were all alike at the start",
        "longer training; network.projector.init_scale = 1",
    )


def objective_outweighed(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """An objective that keeps images apart by a term of its own has weights for it, and needs no predictor."""
    if diagnosis.name not in COLLAPSES or not signs.fact("objective.keeps_apart"):
        return None
    return (
        "",
        "a smaller optimizer.lr with optimizer.warmup_epochs, longer training; in [objective] more weight on what "
        "keeps images apart, which for peira is a smaller ridge",
    )


def heavy_decay(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """Beyond a threshold weight decay wins over every feature (Tian, Chen, Ganguli 2021, section 4)."""
    decay = signs.setting("optimizer.weight_decay") or 0.0
    if diagnosis.name not in COLLAPSES or not decay > HEAVY_DECAY or signs.setting("optimizer.name") == "adamw":
        return None
    return (
        f"optimizer.weight_decay = {decay:g}: beyond a threshold it shrinks every feature to nothing",
        "optimizer.weight_decay = 1e-4 to 1e-3",
    )


def fast_steps(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """Steps that throw the weights about can end where nothing is told apart any more."""
    if diagnosis.name not in COLLAPSES or not signs.fastest > FAST:
        return None
    return (
        f"single steps changed the weights by {signs.fastest:.0%} of their size and more",
        GENERAL["learning rate too high"],
    )


def slow_predictor(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """A learnt predictor has to keep up with the encoder."""
    factor = signs.setting("predictor.lr_factor")
    if diagnosis.name != "predictor not aligned" or not factor or factor >= 1:
        return None
    return (
        f"predictor.lr_factor = {factor:g}: the predictor learns more slowly than the encoder",
        "predictor.lr_factor = 1 to 10",
    )


def long_memory(diagnosis: Diagnosis, signs: Signs) -> Cause | None:
    """An average over more steps than the projections stay as they are."""
    rho = signs.setting("moments.rho")
    if diagnosis.name != "moments stale" or rho is None:
        return None
    steps = 1 / (1 - rho)
    return (
        f"moments.rho = {rho:g} averages over some {steps:,.0f} steps, in which the projections have moved on",
        "moments.rho = 0.3 to 0.5",
    )


LOOKS: tuple[Callable[[Diagnosis, Signs], Cause | None], ...] = (
    collapsed_start,
    no_stop_gradient,
    no_predictor,
    squared_with_norm,
    even_predictor,
    heavy_decay,
    fast_steps,
    slow_predictor,
    long_memory,
    objective_outweighed,
)

GENERAL = {
    "norm blow-up": 'a smaller optimizer.lr; some weight decay; network.projector.norm = "batch"',
    "vanishing": "less optimizer.weight_decay; a larger optimizer.lr",
    "dead projector": "a smaller optimizer.lr with optimizer.warmup_epochs; the weights do not come back: train anew",
    "learning rate too high": "a tenth of optimizer.lr, and optimizer.warmup_epochs",
    "views too weak": "stronger views: views.crop_scale = [0.08, 1.0], jitter, grayscale",
    "complete collapse": "a smaller optimizer.lr with optimizer.warmup_epochs; a slower target, target.tau nearer to 1",
    "moments stale": "a smaller moments.rho",
    "predictor not aligned": "a larger predictor.lr_factor; longer training",
    "views too strong": "longer training; then gentler views: a larger lower end of views.crop_scale, less jitter",
    "dimensional collapse": "longer training: ranks often start low and rise; directpred, or directset with alpha "
    "below 1; larger batches",
}
