"""What the tuning methods that PEFT carries out have in common."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.methods import FEW_BITS, Plan, TuneMethod
from maxaillm.dev.finetune.methods.shared.virtual_tokens import why_none
from maxaillm.dev.finetune.model_files.shapes import HEADS, LAYERS, WIDTH, Layer, ModelShapes
from maxaillm.dev.finetune.tasks.names import EVERY_TASK

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
"""Literal names only: PEFT takes a single string as a regular expression, which can hang."""
ADAPTER = "default"
OWN_HEAD = re.compile(r"(classifier|score)(\.|$)")


class PeftMethod(TuneMethod):
    """A method of PEFT: its options have PEFT's names and become PEFT's configuration."""

    keeps_base: ClassVar[bool] = True
    config_name: ClassVar[str]
    """The class of `peft` that takes the options."""
    fixed: ClassVar[Mapping[str, Any]] = {}
    """Options of that class that make the method what it is."""

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        """The options in PEFT's words, for a model and a run."""
        return {**self.model_dump(exclude={"name"}), **self.fixed}

    def prepare(self, model: PreTrainedModel, plan: Plan) -> PreTrainedModel:
        import peft

        options = self.options(ModelShapes.of(model), plan)
        self.make_room(model)
        if getattr(model, "is_quantized", False):
            model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        with refusal_said(self.label):
            config = getattr(peft, self.config_name)(
                task_type=plan.task, modules_to_save=new_modules(plan.fresh), **options
            )
            tuned: PreTrainedModel = peft.get_peft_model(model, config)
        return tuned

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        from maxaillm.dev.finetune.methods.shared.conv1d import to_conv1d

        merged: PreTrainedModel = model.merge_and_unload()
        to_conv1d(merged)
        return merged


class LayerMethod(PeftMethod):
    """A method that adds something to chosen layers."""

    merges: ClassVar[bool] = True
    on_conv1d: ClassVar[bool] = True
    """Whether PEFT has the method for GPT-2's Conv1D too."""

    target_modules: list[ModuleName] | None = Field(
        None,
        min_length=1,
        max_length=64,
        title="Target modules",
        description="Names of the layers that are adapted. Empty: every linear layer.",
        json_schema_extra={"advanced": True},
    )

    @classmethod
    def make_room(cls, model: PreTrainedModel) -> None:
        from maxaillm.dev.finetune.methods.shared.conv1d import to_linear

        if not cls.on_conv1d:
            to_linear(model)

    def layers(self, base: ModelShapes) -> list[Layer]:
        """The layers that are adapted."""
        return base.targets(self.target_modules)

    def fitted(self, layers: Sequence[Layer]) -> Self:
        """The method with options that these layers can take."""
        return self

    def options(self, base: ModelShapes, plan: Plan) -> dict[str, Any]:
        options = super().options(base, plan)
        fitted = self.fitted(self.layers(base)).model_dump(include=set(options))
        for name, value in fitted.items():
            if value != options[name]:
                message = f"{name} is {value}: {options[name]} is too much for the smallest layer."
                plan.warn(message, f"Set tuning.{name} to {value} to silence this.")
        return {**options, **fitted, "target_modules": self.layer_names(base, plan)}

    def layer_names(self, base: ModelShapes, plan: Plan) -> list[str]:
        if self.target_modules is None:
            return [layer.name for layer in self.layers(base)]
        found = base.resolve(self.target_modules)
        if found.renamed:
            pairs = (f"{name}: {', '.join(others)}" for name, others in found.renamed.items())
            plan.warn(
                f"This model calls layers otherwise: {'; '.join(pairs)}.",
                f"Set tuning.target_modules to {', '.join(found.names)} to silence this.",
            )
        return found.names

    def count_trainable(self, base: ModelShapes) -> int:
        layers = self.layers(base)
        fitted = self.fitted(layers)
        return sum(fitted.count(layer) for layer in layers)

    @abstractmethod
    def count(self, layer: Layer) -> int:
        """Trained numbers of one layer."""

    def kept_values(self, base: ModelShapes) -> float:
        return sum(self.kept(layer) for layer in self.layers(base))

    def kept(self, layer: Layer) -> float:
        """Of one layer: what a product and a sum of its own have to keep, unless it is known."""
        return layer.inputs + layer.outputs


class LoraMethod(LayerMethod):
    """LoRA and what differs from it in little."""

    config_name: ClassVar[str] = "LoraConfig"
    peft_type: ClassVar[str | None] = "LORA"
    quantizes: ClassVar[frozenset[str]] = FEW_BITS

    r: int = Field(
        8,
        ge=1,
        le=1024,
        title="Rank",
        description="Size of the added matrices: more learns more and needs more memory.",
    )
    lora_alpha: int = Field(
        32,
        ge=1,
        le=4096,
        title="Alpha",
        description="Scale of the update; it acts as alpha divided by rank.",
    )
    lora_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of the inputs left out while training; guards against over-fitting.",
    )

    def count(self, layer: Layer) -> int:
        """r x (in + out) (Hu et al. 2021, section 4.1)."""
        return self.r * (layer.inputs + layer.outputs)

    def kept(self, layer: Layer) -> float:
        """The inputs, and which were dropped in a byte each; else the layers share them."""
        return self.r + layer.inputs * (1.25 if self.lora_dropout else 0.5)


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


def new_modules(fresh: Sequence[str]) -> list[str] | None:
    """The modules of weights that the base does not have, such as BERT's pooler: an adapter has
    to bring them. Those of a head named classifier or score PEFT sees to itself."""
    modules = {name.rpartition(".")[0] for name in fresh}
    outer = (name for name in modules if not any(name.startswith(f"{m}.") for m in modules))
    return sorted(name for name in outer if not OWN_HEAD.search(name)) or None


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


def trained_tensors(model: PreTrainedModel) -> dict[str, Tensor]:
    named = model.named_parameters()
    return {name: p.detach().contiguous() for name, p in named if p.requires_grad}


def put_back(model: PreTrainedModel, state: Mapping[str, Tensor]) -> None:
    """Set the trained parameters to what `trained_tensors` gave."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data.copy_(state[name])


@contextmanager
def refusal_said(label: str) -> Iterator[None]:
    """What PEFT can't do with a model, as an error that a user can act on."""
    try:
        yield
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{label} can't be set up on this model: {reason}",
            "Change the method's options, or choose another method, such as lora.",
        ) from error
