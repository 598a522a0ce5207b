"""The page of a run of 100,000 steps in Chromium: when its curves are there, and what a zoom costs.

    python -m benchmarks.first_paint [--times 5] [--keep FOLDER]

The site is that of `benchmarks.pages`, with one run that matters; FOLDER may be the same. Each time
is from the click (navigation) to the first frame in which the loss, and every chart, is drawn; the
first time the server has read none of it. Then 1,000 steps are zoomed to.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep

import httpx
from playwright.sync_api import Page, sync_playwright

from benchmarks.pages import LONG, make_site
from tests.site_process import ROOT, free_port

PASSWORD = "first light 1"
TARGET_SECONDS = 1.0
WATCH = """
  const drawn = () => [...document.querySelectorAll("[data-chart]:not([hidden])")]
    .map((box) => box.querySelector(".scatterlayer .trace path") !== null);
  window.seen = {};
  const look = () => {
    const charts = drawn();
    if (charts[0]) window.seen.first ??= performance.now();
    if (charts.length && charts.every(Boolean)) window.seen.all ??= performance.now();
    if (!window.seen.all) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""
"""In the page, from its beginning: the frame in which the first chart, and the last, is there."""
ZOOM = """async () => {
  const plot = document.querySelector("[data-chart=loss] [data-plot]");
  await Plotly.relayout(plot, {"xaxis.range[0]": 40000, "xaxis.range[1]": 41000});
}"""
RANGE = """() => {
  const plot = document.querySelector("[data-chart=loss] [data-plot]");
  const [low, high] = plot._fullLayout.xaxis.range;
  return [[low, high], plot.data[0].x.filter((x) => x >= low && x <= high).length];
}"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder for the database, made once")
    return parser.parse_args()


def serve(place: Path, port: int) -> subprocess.Popen[bytes]:
    app = ("-m", "uvicorn", "maxft_site.asgi:application", "--log-level", "critical")
    server = subprocess.Popen([sys.executable, *app, "--port", str(port)], cwd=ROOT)
    end = monotonic() + 120
    while monotonic() < end:
        try:
            httpx.get(f"http://127.0.0.1:{port}/login/")
        except httpx.TransportError:
            sleep(0.1)
        else:
            return server
    raise AssertionError(f"no site in {place}")


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/login/")
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    page.wait_for_load_state()


def paint(page: Page, address: str) -> dict[str, float]:
    """Seconds until the first chart and all of them are drawn."""
    page.goto(address, wait_until="commit")
    end = monotonic() + 60
    while monotonic() < end:
        seen: dict[str, float] = page.evaluate("() => window.seen ?? {}")
        if "all" in seen:
            return {name: milliseconds / 1000 for name, milliseconds in seen.items()}
        page.wait_for_timeout(20)
    raise AssertionError(f"not drawn in a minute: {seen}")


def zoom(page: Page) -> tuple[list[float], int]:
    """The range after a zoom and the points that were fetched for it."""
    page.evaluate(ZOOM)
    page.wait_for_timeout(1500)
    found: tuple[list[float], int] = page.evaluate(RANGE)
    return found


def measure(url: str, run: int, times: int) -> None:
    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome")
        path = next(filter(None, map(shutil.which, names)), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(WATCH)
        sign_in(page, url)
        found = [paint(page, f"{url}/runs/{run}/") for _ in range(times + 1)]
        print(f"{'':12} {'loss s':>8} {'all s':>8}")
        print(f"{'first time':12} {found[0]['first']:8.2f} {found[0]['all']:8.2f}")
        for word, at in (("median", statistics.median), ("slowest", max)):
            first, every = (at([one[name] for one in found[1:]]) for name in ("first", "all"))
            print(f"{word:12} {first:8.2f} {every:8.2f}")
        print(f"target       {TARGET_SECONDS:8.2f}")
        (low, high), points = zoom(page)
        print(f"zoomed to    {low:.0f} to {high:.0f}: {points:,} points")
        browser.close()


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        os.environ["MAXFT_DATA_DIR"] = str(place)
        os.environ["DJANGO_SETTINGS_MODULE"] = "maxft_site.settings"
        import django

        django.setup()
        if not (place / "made").exists():
            make_site(2, 2 * 5 * LONG)
            (place / "made").touch()
        from jobs.models import Run

        run = Run.objects.filter(step=LONG).order_by("pk")[:1].values_list("pk", flat=True)[0]
        port = free_port()
        server = serve(place, port)
        try:
            measure(f"http://127.0.0.1:{port}", run, asked.times)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
