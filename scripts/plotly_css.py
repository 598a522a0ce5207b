"""Write static/vendor/plotly.css: the style rules that Plotly otherwise puts into the page itself.

A strict content security policy forbids that; linked under the id `plotly.js-style-global` before
the script, Plotly finds them there. Needs Playwright and Chromium (`CHROMIUM` names another one).
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
RULES = """() => [...document.getElementById('plotly.js-style-global').sheet.cssRules]
    .map((rule) => rule.cssText)"""


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.add_script_tag(path=VENDOR / "plotly-basic.min.js")
        page.evaluate("Plotly.newPlot(document.body, [{y: [1, 2]}])")
        version, rules = page.evaluate("Plotly.version"), page.evaluate(RULES)
        browser.close()
    head = f"/* Of plotly.js {version}, MIT licence: see plotly-LICENSE. */\n"
    (VENDOR / "plotly.css").write_text(head + "\n".join(rules) + "\n")


if __name__ == "__main__":
    main()
