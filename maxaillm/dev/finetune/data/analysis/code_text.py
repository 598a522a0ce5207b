"""Code and markup in texts: there a tag of HTML is no leftover."""

from __future__ import annotations

import re

CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,300}`", re.DOTALL)
"""What Markdown marks as code: between fences, or between backticks on one line."""
ABOUT_MARKUP = re.compile(
    r"\b(?:x?html5?|xml|svg|css|javascript|jsx|php|django|jinja|vue|react|angular"
    r"|web ?(?:page|site)s?|beautifulsoup|bs4|dom|tags?|markup|asp\.net|jquery"
    r"|selenium|scrap\w+|mark.?down)\b",
    re.IGNORECASE,
)
LOOKS_LIKE_CODE = re.compile(
    r"[;{}][^\S\n]*$|^[^\S\n]*(?:def|class|import|from|function|var|let|const|public|return|#include|<\?php"
    r"|<!DOCTYPE|<html)\b",
    re.MULTILINE | re.IGNORECASE,
)


def speaks_of_markup(text: str) -> bool:
    return ABOUT_MARKUP.search(text) is not None


def looks_like_code(prose: str) -> bool:
    """Whether several lines do, of a text less what is marked as code."""
    return len(LOOKS_LIKE_CODE.findall(prose[:20_000])) > 2
