"""Personal data in a text: addresses, numbers, keys. How it is found and masked.

Only what can be told by its form and, where it has one, its check digit: names are not found.
Numbers and addresses that are made for examples don't count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

HINTS = (
    r"[\w.+-]@[\w-]+\.|\+\d|\d[\d ().-]{7,}\d|\d{3}-\d{2}-\d{4}|\b[A-Z]{2}\d{2} ?[A-Z0-9]{4}"
    r"|sk[-_]|A[KS]IA|gh[opusr]_|github_pat_|xox[abprs]-|AIza|hf_|glpat-|eyJ|PRIVATE KEY"
)
"""Matches, also in RE2, every text that has anything to find: most have nothing."""
EXAMPLE_HOSTS = re.compile(
    r"(?:^|[@.])(?:example|test|domain|email|mail|company|yourdomain|yourcompany)\.\w+$"
    r"|\.(?:example|test|invalid|localhost)$",
    re.IGNORECASE,
)
EXAMPLE_CARDS = {"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005"}
PRINTED_SOCIAL_SECURITY_NUMBERS = {"123-45-6789", "078-05-1120", "457-55-5462", "219-09-9999"}


class Kind(NamedTuple):
    """One sort of personal data."""

    name: str
    label: str
    pattern: re.Pattern[str]
    is_real: Callable[[str], bool]
    """Whether what matched is one, by its check digits and the like."""


class Found(NamedTuple):
    """A piece of a text, from `start` up to `end`."""

    start: int
    end: int
    kind: Kind


def digits_of(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def is_address(text: str) -> bool:
    return EXAMPLE_HOSTS.search(text.partition("@")[2]) is None


def is_phone(text: str) -> bool:
    """By the numbering plan of its country, unless a leading 0 leaves open which that is."""
    digits = digits_of(text)
    made_up = digits in "12345678901234567890" or len(set(digits)) < 3 or "555" in digits[-7:-4]
    if made_up or not 8 <= len(digits) <= 15:
        return False
    return text.lstrip("(").startswith("0") or is_in_numbering_plan(text)


def is_in_numbering_plan(text: str) -> bool:
    """Of the country that its code names, else of North America."""
    import phonenumbers  # most data never needs it

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, "US"))
    except phonenumbers.NumberParseException:
        return False


def is_card(text: str) -> bool:
    """By the check digit (ISO/IEC 7812-1, Luhn)."""
    digits = digits_of(text)
    if digits in EXAMPLE_CARDS or len(set(digits)) < 3:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """By the check digits (ISO 13616), and as long and of such parts as its country has them."""
    letters = text.replace(" ", "")
    number = "".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])
    if int(number) % 97 != 1:
        return False
    from stdnum import iban  # most data never needs it

    return iban.is_valid(letters, check_country=False)  # the country's own check knows few banks


def is_social_security_number(text: str) -> bool:
    area, group, serial = text.split("-")
    known = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return known and text not in PRINTED_SOCIAL_SECURITY_NUMBERS


def is_key(text: str) -> bool:
    return "EXAMPLE" not in text.upper() and len(set(text)) > 8


def has_form(_text: str) -> bool:
    """Nothing but the form tells it."""
    return True


KINDS = [
    Kind(
        "private_key",
        "a private key",
        re.compile(
            r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[^-]{0,20000}-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
        has_form,
    ),
    Kind(
        "api_key",
        "an access key",
        re.compile(
            r"\b(?:sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{20,200}|A[KS]IA[0-9A-Z]{16}"
            r"|sk_(?:live|test)_[A-Za-z0-9]{16,99}|gh[opusr]_[A-Za-z0-9]{36,255}"
            r"|github_pat_\w{22,255}|xox[abprs]-[A-Za-z0-9-]{10,250}|AIza[\w-]{35}"
            r"|hf_[A-Za-z0-9]{30,60}|glpat-[\w-]{20,60}"
            r"|eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,2000})"
        ),
        is_key,
    ),
    Kind(
        "email",
        "an e-mail address",
        re.compile(r"(?<![\w.+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}\b"),
        is_address,
    ),
    Kind(
        "iban",
        "a bank account (IBAN)",
        re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        is_iban,
    ),
    Kind(
        "card",
        "a card number",
        re.compile(
            r"(?<![\d.,-])(?:[2456]\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d{2}([ -]?)\d{6}\2\d{5})"
            r"(?![\d-]|[.,]\d)"
        ),
        is_card,
    ),
    Kind(
        "social_security_number",
        "a social security number",
        re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"),
        is_social_security_number,
    ),
    Kind(
        "phone",
        "a phone number",
        re.compile(
            r"(?<![\w.,+-])(?<!\d )(?:\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}"
            r"|(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}|0[1-9]\d{8,9}"
            r"|0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4})"
            r"(?![\w-]|[.,]\d)"
        ),
        is_phone,
    ),
]


def find(text: str) -> list[Found]:
    """All that may be personal, in order, nothing twice."""
    found = [
        Found(*match.span(), kind)
        for kind in KINDS
        for match in kind.pattern.finditer(text)
        if kind.is_real(match[0])
    ]
    return list(without_overlaps(sorted(found, key=lambda item: (item.start, -item.end))))


def without_overlaps(found: list[Found]) -> Iterator[Found]:
    end = 0
    for item in found:
        if item.start >= end:
            end = item.end
            yield item


def replaced(text: str, replacement: Callable[[Found], str]) -> str:
    """`text` with something else in the place of all that may be personal."""
    parts, at = [], 0
    for item in find(text):
        parts += [text[at : item.start], replacement(item)]
        at = item.end
    return "".join([*parts, text[at:]])
