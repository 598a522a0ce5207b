"""Ollama's Modelfile beside a GGUF: its template, found out by what the chat template writes.

Ollama reads Go templates and knows no Jinja. What nearly all chat templates do, a text before and
behind each turn, can be said in both; it is read off from rendered conversations and believed only
where it writes others just the same. Else the Modelfile says that it has no template, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

Turn = Mapping[str, str]
Render = Callable[[Sequence[Turn]], str]
"""The text for a conversation that ends with a question, up to where the answer begins. Raises
ValueError where the template can't write it."""
SYSTEM, ASKED, SAID, MORE = "qSYSTEMq", "qASKEDq", "qSAIDq", "qMOREq"
BREAKS = ("{{", "}}", '"""')
"""What would end a text of a Go template, or of a Modelfile."""


class NoTemplateError(ValueError):
    """Why a chat template can't be written as Ollama's."""


class Turns(NamedTuple):
    """What stands around the turns of each role."""

    first: str
    """Before all turns, such as the token that begins a text."""
    around: dict[str, tuple[str, str]]
    answer: str
    """What an answer begins behind."""
    default_system: str = ""
    """What a conversation without a system message gets."""

    def render(self, turns: Sequence[Turn]) -> str:
        if self.default_system and turns[0]["role"] != "system":
            turns = [{"role": "system", "content": self.default_system}, *turns]
        texts = (
            self.around[t["role"]][0] + t["content"] + self.around[t["role"]][1] for t in turns
        )
        return self.first + "".join(texts) + self.answer


def turn(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


CONVERSATIONS = (
    [turn("user", "How far is it?")],
    [turn("user", "Two\nlines"), turn("assistant", "Yes."), turn("user", "Why?")],
    [turn("system", "Be brief."), turn("user", "How far is it?")],
    [turn("system", "Be kind."), turn("user", "A"), turn("assistant", "B"), turn("user", "C")],
)


def turns_of(render: Render, first: str) -> Turns:
    """`first`: how each conversation begins, as far as that is known. Raises NoTemplateError."""
    try:
        found = read_off(render, first)
        odd = next((c for c in CONVERSATIONS if found.render(c) != render(c)), None)
    except ValueError as error:
        raise NoTemplateError(f"it can't write a plain conversation ({error})") from None
    if odd is not None:
        raise NoTemplateError("it writes a turn in more than one way")
    return found


def read_off(render: Render, first: str) -> Turns:
    """By marks in place of the texts. Raises ValueError where one is not found again."""
    before, after = cut(render([turn("user", ASKED)]), ASKED)
    _, said, more, _ = cut(
        render([turn("user", ASKED), turn("assistant", SAID), turn("user", MORE)]),
        ASKED, SAID, MORE,
    )  # fmt: skip
    start, between, _ = cut(render([turn("system", SYSTEM), turn("user", ASKED)]), SYSTEM, ASKED)
    first = first if before.startswith(first) and start.startswith(first) else ""
    system = start.removeprefix(first)
    lead = common_ending(more, between)
    default = ""
    if before == first + common_ending(lead, before.removeprefix(first)):
        lead = before.removeprefix(first)
    elif before.startswith(start) and before.endswith(between):
        default = before[len(start) : len(before) - len(between)]
    closing = common_ending(said, after)
    ending = more.removesuffix(lead)
    closing = closing.removeprefix(ending)  # what ends an answer ends a question, too
    return Turns(
        first,
        {
            "system": (system, between.removesuffix(lead)),
            "user": (lead, said.removesuffix(closing)),
            "assistant": (closing, ending),
        },
        after.removeprefix(said.removesuffix(closing)),
        default,
    )


def cut(text: str, *marks: str) -> list[str]:
    parts = []
    for mark in marks:
        part, found, text = text.partition(mark)
        if not found:
            raise ValueError("it leaves a text out")
        parts.append(part)
    return [*parts, text]


def common_ending(one: str, other: str) -> str:
    pairs = zip(reversed(one), reversed(other), strict=False)
    length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return one[len(one) - length :]


def go_template(turns: Turns) -> str:
    """As Ollama has it. Raises NoTemplateError."""
    roles = ("system", "user", "assistant")
    texts = [turns.first, turns.answer, *(text for role in roles for text in turns.around[role])]
    if any(mark in text for text in texts for mark in BREAKS):
        raise NoTemplateError("its marks mean something else in a Go template")
    branches = "".join(
        f'{{{{ {"if" if role == "system" else "else if"} eq .Role "{role}" }}}}'
        f"{turns.around[role][0]}{{{{ .Content }}}}{turns.around[role][1]}"
        for role in roles
    )
    return (
        f"{turns.first}{{{{ range .Messages }}}}{branches}{{{{ end }}}}{{{{ end }}}}{turns.answer}"
    )


MOST_CONTEXT = 8192
"""Tokens: Ollama reserves the memory for all of them."""


class Tokens(NamedTuple):
    """What matters of a tokenizer and its model."""

    bos: str
    """What begins a text, as far as there is one."""
    adds_bos: bool
    """Whether llama.cpp puts it there by itself."""
    eos: str
    context: int
    """The most tokens that the model can see."""


def write_modelfile(file: str, render: Render | None, tokens: Tokens) -> str:
    """The Modelfile of `file`."""
    lines, stops = [f"FROM ./{file}"], [tokens.eos]
    try:
        turns = ollama_turns(render, tokens)
        lines.append(f'TEMPLATE """{go_template(turns)}"""')
        if turns.default_system:
            lines.append(f'SYSTEM """{turns.default_system}"""')
        stops.append(turns.around["assistant"][1].strip())
    except NoTemplateError as error:
        lines.append(f"# The chat template can't be written as Ollama's: {error}.")
        lines.append("# Ollama may guess one; see that its answers make sense.")
    named = dict.fromkeys(mark for mark in stops if mark and '"' not in mark)
    lines += [f'PARAMETER stop "{mark}"' for mark in named]
    lines.append(f"PARAMETER num_ctx {min(tokens.context, MOST_CONTEXT)}")
    return "\n".join(lines) + "\n"


def ollama_turns(render: Render | None, tokens: Tokens) -> Turns:
    """Less what llama.cpp writes by itself. Raises NoTemplateError."""
    if render is None:
        raise NoTemplateError("the model has none")
    turns = turns_of(render, tokens.bos)
    if not tokens.adds_bos:
        return turns
    if turns.first != tokens.bos:
        said = "conversations don't begin with it"
        raise NoTemplateError(f"llama.cpp puts {tokens.bos!r} before each text, and {said}")
    return turns._replace(first="")
