"""How a model was compiled, for another release: optimizer, losses and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphsurgeon.formats.keras.rules import Target

# Short names of losses, which Keras 3 looks for among its metrics when it reads an .h5 file.
_NAMES = {
    "mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error", "MSE": "mean_squared_error", "MAE": "mean_absolute_error",
    "MAPE": "mean_absolute_percentage_error", "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence", "cosine_proximity": "cosine_similarity",
}  # fmt: skip
_NOT_IN_3 = ("is_legacy_optimizer", "jit_compile", "schedule_decay")  # `decay` is ignored there, with a warning
_NOT_IN_2 = (
    "loss_scale_factor", "gradient_accumulation_steps", "weight_decay", "use_ema", "ema_momentum",
    "ema_overwrite_frequency", "jit_compile", "is_legacy_optimizer",
)  # fmt: skip
_NULL_IN_2 = ("clipnorm", "clipvalue", "global_clipnorm")  # which Keras 2 takes as numbers only
_OLD_KEYS = {"lr": "learning_rate"}
Change = tuple[str, str, str]


def mend(training: dict[str, Any], target: Target) -> Iterator[Change]:
    """Change how a model is compiled to what a release takes; yield (what, edit, since) of each change."""
    optimizer = training.get("optimizer_config")
    if isinstance(optimizer, dict):
        yield from _optimizer(optimizer, target)
    if target == "keras-3":
        if "loss" in training:
            training["loss"], changed = _long_names(training["loss"], 0)
            if changed:
                yield f"loss: {changed[0]}", "its long name", "Keras 3.0 takes the short one for a metric's"
        return
    for key in ("run_eagerly", "steps_per_execution", "jit_compile"):
        if training.pop(key, None) is not None:
            yield key, "dropped", "Keras 3.0 writes it"


def _optimizer(optimizer: dict[str, Any], target: Target) -> Iterator[Change]:
    config = optimizer.get("config")
    if not isinstance(config, dict):
        return
    kind = optimizer.get("class_name")
    if isinstance(kind, str) and kind.startswith("Custom>") and target in ("tf-2.2", "tf-1.15"):
        optimizer["class_name"] = kind.removeprefix("Custom>")
        yield f"optimizer {kind}", optimizer["class_name"], "Keras 2.11 writes it"
    for old, new in _OLD_KEYS.items() if target == "keras-3" else ():
        if old in config and new not in config:
            config[new] = config.pop(old)
            yield f"optimizer {old}", f"renamed to {new}", "Keras up to 2.2 writes it"
    for key in _NULL_IN_2 if target != "keras-3" else ():
        if key in config and config[key] is None:
            del config[key]
            yield f"optimizer {key}: null", "dropped", "Keras 2.11 writes it"
    for key in _NOT_IN_3 if target == "keras-3" else _NOT_IN_2:
        if key in config:
            del config[key]
            yield f"optimizer {key}", "dropped", "Keras 3.0 has no such setting" if target == "keras-3" else "Keras 3.0"


def _long_names(value: Any, depth: int) -> tuple[Any, list[str]]:
    """Return losses by their long names, and the names that were changed."""
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value], [value]
    if isinstance(value, dict | list) and depth < 20:
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        found = {key: _long_names(inner, depth + 1) for key, inner in pairs}
        changed = [name for _, names in found.values() for name in names]
        if isinstance(value, dict):
            return {key: inner for key, (inner, _) in found.items()}, changed
        return [inner for inner, _ in found.values()], changed
    return value, []
