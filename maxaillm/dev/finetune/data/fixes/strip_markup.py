"""Strip HTML: turn it into plain text, but leave code as it is."""

from __future__ import annotations

import re
from html import unescape
from typing import ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.analysis.code_text import CODE, looks_like_code, speaks_of_markup
from maxaillm.dev.finetune.data.columns import Piece
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_texts

TAG = re.compile(r"<!--|-->|<(/?)([a-z][a-z0-9]*)(?:\s[^<>]*)?/?>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
"""With a semicolon only: `?a=1&copy=2` is an address."""
LINES = frozenset(
    """
    address article aside blockquote br center dd div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr legend li main nav ol p pre section table tbody tfoot thead tr ul
    """.split()  # noqa: SIM905
)
"""Elements that begin a line of their own."""
INLINE = frozenset(
    """
    a abbr acronym audio b basefont bdi bdo big body button canvas caption cite code col colgroup
    data datalist del details dfn dialog em embed font head html i iframe img input ins kbd label
    link map mark meta meter noscript object optgroup option output param picture progress q rp rt
    ruby s samp select small source span strike strong sub summary sup svg td textarea th time
    title track tt u var video wbr
    """.split()  # noqa: SIM905
)
UNSEEN = frozenset({"script", "style", "template", "<!--"})
"""What no browser shows the content of."""
CLOSING = {"<!--": "-->"}
KNOWN = LINES | INLINE | UNSEEN | {"-->"}


@fixes.register
class StripMarkup(Fix):
    """Takes HTML out of texts; what only looks like it, such as `List<String>`, stays."""

    label: ClassVar[str] = "Strip HTML"
    summary: ClassVar[str] = "Turns HTML tags and entities into plain text, except in code."

    name: Literal["strip_markup"] = "strip_markup"
    tags: bool = Field(
        True, title="Tags", description="<b>, <br>, <!-- … --> and what a <script> holds."
    )
    entities: bool = Field(
        True, title="Entities", description="&amp;, &quot;, &#39; become what they stand for."
    )

    leave_code: bool = Field(
        True,
        title="Leave code alone",
        description="Rows that speak of HTML and the like, and texts that look like code, stay.",
    )

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        after = with_texts(self.kind, example, self.plain)
        if after is example or not self.leave_code:
            return after
        is_about = any(speaks_of_markup(piece.text) for piece in self.kind.pieces_of(example))
        return example if is_about else after

    def plain(self, piece: Piece) -> str:
        text = piece.text
        if "<" not in text and "&" not in text:
            return text
        if self.leave_code and looks_like_code(CODE.sub(" ", text)):
            return text
        parts, end = [], 0
        for code in CODE.finditer(text):
            parts += [self.without_markup(text[end : code.start()]), code[0]]
            end = code.end()
        return "".join([*parts, self.without_markup(text[end:])])

    def without_markup(self, text: str) -> str:
        bare = without_tags(text) if self.tags else text
        return ENTITY.sub(lambda found: unescape(found[0]), bare) if self.entities else bare


def without_tags(text: str) -> str:
    """`text` less its elements of HTML; one that is not closed hides nothing."""
    bare = BareText()
    end, hides, hidden_from = 0, "", 0
    for tag in TAG.finditer(text):
        name = (tag[2] or tag[0]).lower()
        is_closing = tag[1] == "/" or name == "-->"
        if name not in KNOWN or (name == "-->" and hides != "<!--"):
            continue
        bare.add(text[end : tag.start()])
        end = tag.end()
        if is_closing and name in (hides, CLOSING.get(hides)):
            del bare.parts[hidden_from:]
            hides = ""
        elif not hides and not is_closing and name in UNSEEN:
            hides, hidden_from = name, len(bare.parts)
        elif name in LINES:
            bare.end_line(always=name == "br")
    bare.add(text[end:])
    return "".join(bare.parts) if end else text


LOOKED_BACK = 100
"""So many characters tell whether a line has ended: a long text is not copied for each tag."""


class BareText:
    """What is left of a text. A line is ended only once something follows."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.line_ends = 0

    def add(self, text: str) -> None:
        if self.line_ends and text.strip():
            self.parts.append("\n" * self.line_ends)
            self.line_ends = 0
            text = text.lstrip()
        if text and not self.line_ends:
            self.parts.append(text)

    def end_line(self, *, always: bool) -> None:
        if always and self.parts:
            self.line_ends += 1
        elif self.parts and not self.parts[-1][-LOOKED_BACK:].rstrip(" \t").endswith("\n"):
            self.line_ends = max(self.line_ends, 1)
