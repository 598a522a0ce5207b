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
from maxaillm.dev.finetune.model_files.shapes import WIDTH, Layer, ModelShapes, fits

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
        from peft.utils.other import TrainableTokensWrapper

        base = ModelShapes.of(model)
        options = self.options(base, plan)
        if plan.tokens and self.takes_rows(base):
            options |= rows_option(model, plan.tokens, options.get("target_modules", ()))
        self.make_room(model)
        if getattr(model, "is_quantized", False):
            model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        with refusal_said(self.label):
            config = getattr(peft, self.config_name)(
                task_type=plan.task, modules_to_save=new_modules(plan.fresh), **options
            )
            tuned: PreTrainedModel = peft.get_peft_model(model, config)
        head = tuned.get_output_embeddings()
        if isinstance(head, TrainableTokensWrapper):
            head.bias = None  # the wrapper hides that there is none, which TRL looks for
        return tuned

    def takes_rows(self, base: ModelShapes) -> bool:
        """Whether PEFT can train single rows of this model's embeddings: beside a head's bias it
        can't, which it would leave out."""
        return self.trains_rows and not base.head_has_bias and bool(self.row_tables(base))

    def row_tables(self, base: ModelShapes) -> list[str]:
        """The layers of which single rows can be trained."""
        return base.token_tables()

    def learns_tokens(self, base: ModelShapes) -> bool:
        return self.takes_rows(base)

    def count_rows(self, base: ModelShapes, tokens: int) -> int:
        if not tokens or not self.takes_rows(base):
            return 0
        return len(self.row_tables(base)) * tokens * base.number(*WIDTH)

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
        """The layers that are adapted. Raises ModelError where one can't be."""
        self.require_own_weights(base)
        return base.targets(self.target_modules)

    def require_own_weights(self, base: ModelShapes) -> None:
        """Raises ModelError for a layer that shares its weights with another: what is added to
        the one would have to be, and not to be, added to the other."""
        shared = base.tied(self.target_modules or ())
        if shared:
            raise ModelError(
                f"{', '.join(shared)} shares its weights with the other end of this model: "
                "an adapter on it could be neither merged nor exported.",
                "Leave it out of tuning.target_modules. Tokens that the base never trained are "
                "seen to without it; to train every embedding, choose full.",
            )

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

    def row_tables(self, base: ModelShapes) -> list[str]:
        adapted = {layer.name for layer in self.layers(base)}
        return [name for name in super().row_tables(base) if name not in adapted]

    def learns_tokens(self, base: ModelShapes) -> bool:
        """By their rows, or by an adapter on all of them."""
        return self.takes_rows(base) or len(self.row_tables(base)) < len(base.token_tables())

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
    trains_rows: ClassVar[bool] = True
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


def rows_option(
    model: PreTrainedModel, tokens: Sequence[int], adapted: Sequence[str]
) -> dict[str, Any]:
    """PEFT's option that trains these rows of the embeddings, and of a head with weights of its
    own, unless they are `adapted` whole. A head that shares weights PEFT sees to itself."""
    names = {id(module): name for name, module in model.named_modules()}
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    rows = [int(token) for token in tokens]
    if head is None or head.weight is table.weight:
        return {"trainable_token_indices": rows}
    tables = (names[id(table)], names[id(head)])
    chosen = {name: rows for name in tables if not fits(name, adapted)}
    return {"trainable_token_indices": chosen} if chosen else {}


def new_modules(fresh: Sequence[str]) -> list[str] | None:
    """The modules of weights that the base does not have, such as BERT's pooler: an adapter has
    to bring them. Those of a head named classifier or score PEFT sees to itself."""
    modules = {name.rpartition(".")[0] for name in fresh}
    outer = (name for name in modules if not any(name.startswith(f"{m}.") for m in modules))
    return sorted(name for name in outer if not OWN_HEAD.search(name)) or None


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
