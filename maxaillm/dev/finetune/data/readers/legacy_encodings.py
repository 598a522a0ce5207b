"""Legacy encodings: which one a text is in that is not UTF-8, or what its owner has to be asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.data.readers.options import ENCODINGS

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

SAMPLE_BYTES = 20_000
RUN = re.compile(rb"[\x80-\xff]+")
"""Bytes beyond ASCII that stand together: a letter or two in Western texts, a word in others."""
WESTERN_RUN = 2
OTHER_SCRIPTS = ("cp1251", "cp1253", "cp1255", "cp1256", "cp874", "gb18030", "big5", "shift_jis",
                 "euc_jp", "euc_kr", "koi8-r", "cp866")  # fmt: skip
SEVERAL_BYTES = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")
CLOSE_CHAOS, CLOSE_COHERENCE = 0.05, 0.1
"""So alike charset-normalizer judges two encodings that may both be it."""
LANGUAGES = {
    "cp1252": ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "ãáâàçéêíõóôúü", "àèéìîòóù", "åäöéü", "æøåéü",
               "áðéíóúýþæö", "éëïóöüè"),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1254": ("çğıöşüâîû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž"),
    "mac-roman": ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "ãáâàçéêíõóôúü", "àèéìîòóù", "åäöéü"),
    "cp850": ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "ãáâàçéêíõóôúü", "àèéìîòóù", "åäöéü"),
}  # fmt: skip
"""Of each encoding of Latin letters, those beyond ASCII that a language needs which is written in
it. charset-normalizer, which knows the other scripts, takes Western texts for Baltic ones."""
MARKS = frozenset("‘’‚“”„–—…•€£¥§©®°±²³´·«»¡¿½¼¾™\u00a0\u00ad")
WITHIN_WORDS = frozenset("’´·\u00ad")
"""Those of them that may stand between two letters."""
MARGIN = 0.1


class Guess(NamedTuple):
    """An encoding, and why its owner has to be asked, if so."""

    codec: str
    doubt: str = ""


def guessed_encoding(sample: bytes) -> Guess:
    """What `sample`, which is no UTF-8, is in: Windows-1252 where nothing speaks against it."""
    odd_lines = [line for line in sample.splitlines(keepends=True) if not line.isascii()]
    text = b"".join(odd_lines)[:SAMPLE_BYTES]
    text = text[: text.rfind(b"\n") + 1] or text
    runs = [len(run) for run in RUN.findall(text)]
    if sum(run for run in runs if run <= WESTERN_RUN) >= 0.8 * sum(runs):
        return western_guess(text)
    return other_script(text)


def other_script(text: bytes) -> Guess:
    """By charset-normalizer, among the encodings that are still met."""
    found = matches(text) or matches(without_broken_lines(text))
    if not found:
        return Guess("cp1252", doubt_about(["cp1252", "cp1251", "gb18030", "cp1256"]))
    best = found[0]
    rivals = [
        match
        for match in found
        if match.chaos - best.chaos < CLOSE_CHAOS
        and best.coherence - match.coherence < CLOSE_COHERENCE
    ]
    names = [codec for match in rivals for codec in OTHER_SCRIPTS if same(codec, match.encoding)]
    return Guess(names[0], doubt_about(names) if len(names) > 1 else "")


def matches(text: bytes) -> list[CharsetMatch]:
    from charset_normalizer import from_bytes

    return list(from_bytes(text, cp_isolation=list(OTHER_SCRIPTS))) if text else []


def without_broken_lines(text: bytes) -> bytes:
    """The lines of `text` that are whole in that encoding of several bytes which fits most."""
    lines = text.splitlines(keepends=True)
    whole = ([line for line in lines if fits(line, codec)] for codec in SEVERAL_BYTES)
    most = max(whole, key=len)
    return b"".join(most) if 2 * len(most) >= len(lines) else b""


def fits(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def same(codec: str, name: str) -> bool:
    return codec.replace("-", "_") == name


def western_guess(text: bytes) -> Guess:
    """The encoding in which most odd characters are letters of one language, at their place."""
    scores = {codec: plausibility(text, codec) for codec in LANGUAGES}
    ordered = sorted(scores, key=scores.__getitem__, reverse=True)
    best = ordered[0]
    if scores["cp1252"] >= scores[best] - MARGIN:
        return Guess("cp1252")
    rivals = [codec for codec in ordered if scores[codec] > scores[best] - MARGIN]
    is_sure = len({text.decode(codec, "replace") for codec in rivals}) == 1
    return Guess(best, "" if is_sure else doubt_about([*rivals, "cp1252"]))


def plausibility(text: bytes, codec: str) -> float:
    """The share of the characters beyond ASCII that make sense in this encoding."""
    decoded = text.decode(codec, "replace")
    odd = [at for at, char in enumerate(decoded) if not char.isascii()]
    letters = [decoded[at].lower() for at in odd if decoded[at].isalpha()]
    shares = [sum(letter in set(own) for letter in letters) for own in LANGUAGES[codec]]
    own = set(LANGUAGES[codec][shares.index(max(shares))])
    return sum(makes_sense(decoded, at, own) for at in odd) / max(1, len(odd))


def makes_sense(text: str, at: int, letters: set[str]) -> bool:
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if char.isalpha():
        return char.lower() in letters and not (char.isupper() and before.islower())
    is_within = before.isalpha() and after.isalpha()
    return char in (WITHIN_WORDS if is_within else MARKS)


def doubt_about(codecs: list[str]) -> str:
    named = " or ".join(ENCODINGS[codec] for codec in dict.fromkeys(codecs))
    return f"The file does not say which characters its bytes stand for; it may be {named}."
