"""Provider interface: the six steps of fine-tuning, whatever stands behind them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pydantic import JsonValue


class MaxFineTuningInterface(Protocol):
    """The six core methods, in the order in which they are called, and `run`, which calls them."""

    def prepare_data(
        self, train_file: str | Path | None = None, validation_file: str | Path | None = None
    ) -> tuple[Any, Any]:
        """Read and tokenise: what is trained on, and what is held out (or None)."""

    def configure_model(self) -> tuple[Any, Any]:
        """The model, set up for its tuning method, and its tokenizer."""

    def train(
        self, model: Any, tokenizer: Any, train_dataset: Any, eval_dataset: Any = None
    ) -> Any:
        """Make all steps. Returns what did it, for `evaluate` and `save_model`."""

    def evaluate(self, trainer: Any) -> dict[str, JsonValue]:
        """Figures on the held-out rows; empty where there are none."""

    def save_model(self, trainer: Any, path: str | Path | None = None) -> Path:
        """Write the tuned model. Returns its folder."""

    def deploy(self) -> Any:
        """Serve the tuned model. Returns what says where, and stops it."""

    def run(self, resume: Any = None) -> None:
        """A whole run, from a checkpoint on where one is given; the journal says how it ends."""


STEPS: dict[str, Callable[..., Any]] = {
    name: member
    for name, member in vars(MaxFineTuningInterface).items()
    if inspect.isfunction(member) and not name.startswith("_")
}


def mismatches(cls: object) -> list[str]:
    """Why a class does not carry out MaxFineTuningInterface, a clause each; empty where it does."""
    if not inspect.isclass(cls):
        return ["it is no class"]
    missing = [f"{name} is missing" for name in STEPS if not callable(getattr(cls, name, None))]
    abstract = [
        f"{name} is left abstract" for name in sorted(getattr(cls, "__abstractmethods__", ()))
    ]
    found = (other_call(name, getattr(cls, name, None), wanted) for name, wanted in STEPS.items())
    return [*missing, *abstract, *filter(None, found)]


def other_call(name: str, found: Any, wanted: Callable[..., Any]) -> str:
    """What is wrong where a method can't be called as the interface has it; else nothing."""
    if not callable(found):
        return ""
    _, *asked = inspect.signature(wanted).parameters.values()
    needed = [parameter.name for parameter in asked if parameter.default is parameter.empty]
    names = [parameter.name for parameter in asked]
    taken = inspect.signature(found)
    try:
        for given in (needed, names):
            taken.bind(None, **dict.fromkeys(given))
    except TypeError as error:
        return f"{name} can't be called with ({', '.join(names)}): {error}"
    in_order = [parameter for parameter in taken.parameters if parameter in names]
    return "" if in_order == names[: len(in_order)] else f"{name} takes {in_order}, not {names}"
