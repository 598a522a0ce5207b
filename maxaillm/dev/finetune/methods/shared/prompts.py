"""What the methods that train virtual tokens have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from maxaillm.dev.finetune.methods import FEW_BITS, Plan
from maxaillm.dev.finetune.methods.shared.peft import PeftMethod, put_back, trained_tensors
from maxaillm.dev.finetune.methods.shared.virtual_tokens import why_none
from maxaillm.dev.finetune.model_files.shapes import HEADS, LAYERS, WIDTH, ModelShapes
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class PromptMethod(PeftMethod):
    """A method that puts virtual tokens before every row; the model itself stays untouched.

    PEFT ignores positions then, so packed rows would see each other. A saved adapter holds the
    finished tokens alone, not the network that makes them: checkpoints keep that too.
    """

    as_cache: ClassVar[bool] = False
    packs: ClassVar[bool] = False
    quantizes: ClassVar[frozenset[str]] = FEW_BITS
    tasks: ClassVar[frozenset[str]] = EVERY_TASK - {"masked_lm", "preference"}
    """PEFT has no prompts for masked models; preference losses need logits without them."""

    num_virtual_tokens: int = Field(
        20,
        ge=1,
        le=1000,
        title="Virtual tokens",
        description="How many are put before each row; they take room from the context.",
    )

    @classmethod
    def refusal(cls, task: str, model_type: str) -> str | None:
        why = why_none(task, model_type, as_cache=cls.as_cache)
        return f"{cls.label}: {why}" if why else super().refusal(task, model_type)

    @property
    def virtual_tokens(self) -> int:
        return self.num_virtual_tokens

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        sizes = {
            "num_layers": layers_of(base),
            "token_dim": width_of(base),
            "num_attention_heads": heads_of(base),
        }
        return {**super().options(base, plan), **sizes}

    @contextmanager
    def untuned(self, model: PreTrainedModel) -> Iterator[None]:
        """PEFT's own `disable_adapter` knows only models that write."""
        if hasattr(model, "prepare_inputs_for_generation"):
            with model.disable_adapter():
                yield
            return
        forward, model.forward = model.forward, model.base_model.forward
        try:
            yield
        finally:
            model.forward = forward

    def checkpoint_state(self, model: PreTrainedModel) -> Mapping[str, Tensor]:
        return trained_tensors(model)

    def restore_state(self, model: PreTrainedModel, state: Mapping[str, Tensor]) -> None:
        put_back(model, state)


class PrefixMethod(PromptMethod):
    """Virtual tokens as keys and values of every layer, which can't be computed a second time."""

    config_name: ClassVar[str] = "PrefixTuningConfig"
    peft_type: ClassVar[str | None] = "PREFIX_TUNING"
    checkpoints_gradients: ClassVar[bool] = False
    as_cache: ClassVar[bool] = True

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        own = base.settings.get("d_kv")
        sizes = {"token_dim": kv_width_of(base)} if own else {}
        return {**super().options(base, plan), **sizes}


def width_of(base: ModelShapes) -> int:
    return base.number(*WIDTH)


def layers_of(base: ModelShapes) -> int:
    return base.number(*LAYERS)


def heads_of(base: ModelShapes) -> int:
    return base.number(*HEADS)


def kv_width_of(base: ModelShapes) -> int:
    """Width of a layer's keys: fewer heads may have them, and T5's are of a width of their own."""
    heads = heads_of(base)
    own = base.settings.get("d_kv") or base.settings.get("head_dim") or width_of(base) // heads
    return int(own) * int(base.settings.get("num_key_value_heads") or heads)


def prompts_of(base: ModelShapes) -> int:
    """PEFT gives encoder and decoder virtual tokens of their own."""
    return 2 if base.settings.get("is_encoder_decoder") else 1
