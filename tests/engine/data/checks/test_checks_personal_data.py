"""What is taken for personal data and what isn't, and that nothing of it is shown."""

from __future__ import annotations

import pytest

from maxaillm.dev.finetune.data.analysis.personal_data import KINDS, find, replaced
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from tests.engine.data.checks.faulty_rows import answered, issues

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx\n-----END RSA PRIVATE KEY-----"
PERSONAL = {
    "email": ["jane.roe+news@mail.acme.co.uk", "jürgen@acme.de", "j_roe@acme-tools.museum"],
    "phone": ["+49 30 901820 44", "+1 (212) 736-5000", "(212) 736-5000", "212-736-5000",
              "07911 123456", "08719899217", "+86 138 0013 8000", "(030) 736-5000"],
    "card": ["4539 1488 0343 6467", "4539148803436467", "3714-496353-98431", "5425 2334 3010 9903"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "NO9386011117947"],
    "social_security_number": ["536-22-8145"],
    "api_key": ["sk-proj-abcDEF123ghiJKL456mnoPQR789", "AKIAQ3EGRTHYUJKL2WSX",
                "ghp_1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R",
                "hf_AbCdEfGhIjKlMnOpQrStUvWxYz12345678"],
    "private_key": [KEY, "-----BEGIN OPENSSH PRIVATE KEY-----"],
}  # fmt: skip
HARMLESS = [
    "jane@example.com", "a@b", "user@test.org", "@somebody wrote", "x = a@b.T  # numpy",
    "2024-01-02 03:04:05", "192.168.0.1", "version 3.14.15926535", "10 000 000", "1,234,567,890",
    "4111 1111 1111 1111", "4539 1488 0343 6468", "1234567890123456", "ISBN 978-3-16-148410-0",
    "DE00 3704 0044 0532 0130 00", "123-45-6789", "000-12-3456", "555-1234", "(212) 555-0143",
    "123-456-7890", "+1 234 567 890", "12345 + 67890 = 80235", "0.0871989921", "sk-short",
    "AKIAIOSFODNN7EXAMPLE", "the task-force-of-the-committee-for-peace", "1999-2004",
    "x-1234567890", "Room 0123, floor 4", "(123) 456-7891", "+99 123 456 789", "+250 1000 2000",
    "457-55-5462", "part QX45 0440 5532 0130", "DE81 3704 0044 0532 0130 000",
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in PERSONAL.items() for text in texts]
)
def test_personal_data_is_found_and_hidden(kind, text):
    around = f"Here it is: {text}, in the middle."
    (found,) = find(around)
    assert (found.kind.name, around[found.start : found.end]) == (kind, text)
    assert replaced(around, lambda item: f"[{item.kind.name}]") == (
        f"Here it is: [{kind}], in the middle."
    )
    (issue,) = issues("personal_data", Conversation, [answered(around)])
    assert found.kind.label in issue.message
    shown = issue.message + issue.snippet
    assert not any(piece in shown for piece in (text, text[4:-4], text[:8], text[-8:]))
    assert "Here it is" in issue.snippet


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_alike_is_left_alone(text):
    assert find(f"Here it is: {text}, in the middle.") == []


def test_every_kind_is_tried():
    assert {kind.name for kind in KINDS} == PERSONAL.keys()


def test_all_of_a_text_is_hidden():
    text = "Mail jane@acme.org or call +49 30 90182044; card 4539148803436467."
    (issue,) = issues("personal_data", Conversation, [answered(text)])
    assert "an e-mail address and a phone number and a card number" in issue.message
    assert not any(secret in issue.snippet for secret in ("jane", "90182044", "4539"))
    assert replaced(text, lambda _item: "X") == "Mail X or call X; card X."


def test_text_without_any_stays_as_it_is():
    assert replaced("Nothing here.", lambda _item: "X") == "Nothing here."
