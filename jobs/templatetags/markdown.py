"""What a model wrote, as HTML: markdown-it makes it, nh3 lets through only what is named here."""

from __future__ import annotations

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()
# markdown-it-py: CommonMark to the letter. HTML shows as the text that it is, a new line as one.
# Images are no syntax here: a page must not fetch what a model names.
parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
parser.enable(["table", "strikethrough"]).disable("image")
# The headings of a page are its own.
parser.add_render_rule("heading_open", lambda *_: "<p><strong>")
parser.add_render_rule("heading_close", lambda *_: "</strong></p>")

BLOCKS = {"p", "blockquote", "ul", "ol", "li", "pre", "hr", "br"}
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
INLINE = {"strong", "em", "s", "code", "a"}
# A link leads to the web or to a person; it takes nothing along and gives no hold on this page.
cleaner = nh3.Cleaner(
    tags=BLOCKS | TABLE | INLINE,
    attributes={"a": {"href"}, "ol": {"start"}},
    set_tag_attribute_values={"a": {"target": "_blank"}, "pre": {"class": "scroll-x"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


@register.filter
def markdown(text: str) -> SafeString:
    """`text` as HTML that is safe whatever a model wrote."""
    return mark_safe(cleaner.clean(parser.render(text)))
