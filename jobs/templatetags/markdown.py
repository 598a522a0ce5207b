"""What a model wrote, as HTML: only the tags named here, every character of it escaped."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

register = template.Library()
# markdown-it-py: CommonMark to the letter, typed, and it gives a tree instead of HTML.
# Images are no syntax here: a page must not fetch what a model names.
parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
parser.disable("image")
TAGS = {
    "paragraph": "p",
    "heading": "p",
    "strong": "strong",
    "em": "em",
    "s": "s",
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "list_item": "li",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
}
SCHEMES = ("http://", "https://", "mailto:")


@register.filter
def markdown(text: str) -> SafeString:
    """`text` as HTML that is safe whatever a model wrote."""
    return children(SyntaxTreeNode(parser.parse(text)))


def children(node: SyntaxTreeNode) -> SafeString:
    return format_html_join("", "{}", ((render(child),) for child in node.children))


def render(node: SyntaxTreeNode) -> SafeString | str:
    """One node; a kind that is not known here shows as its text."""
    if node.type in {"fence", "code_block"}:
        return format_html('<pre class="scroll-x"><code>{}</code></pre>', node.content)
    if node.type == "code_inline":
        return format_html("<code>{}</code>", node.content)
    if node.type in {"softbreak", "hardbreak"}:
        return format_html("<br>")
    if node.type == "hr":
        return format_html("<hr>")
    return render_parent(node) if node.children else node.content


def render_parent(node: SyntaxTreeNode) -> SafeString:
    inner = children(node)
    if node.type == "link":
        return render_link(str(node.attrs.get("href", "")), inner)
    if node.type == "ordered_list":
        return format_html('<ol start="{}">{}</ol>', node.attrs.get("start", 1), inner)
    if node.type == "heading":
        inner = format_html("<strong>{}</strong>", inner)
    tag = None if getattr(node, "hidden", False) else TAGS.get(node.type)
    return format_html(f"<{tag}>{{}}</{tag}>", inner) if tag else inner


def render_link(address: str, inner: SafeString) -> SafeString:
    """A link to the web or to a person; it takes nothing along and gives no hold on this page."""
    if not address.lower().startswith(SCHEMES):
        return inner
    return format_html(
        '<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>', address, inner
    )
