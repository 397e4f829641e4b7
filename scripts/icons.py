"""Draws the icons of the console as PNG out of its SVG: python scripts/icons.py, after scripts/browser.sh."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "plugins" / "web" / "src" / "gitu_web" / "static"
SIZES = (192, 512)


def main() -> None:
    """Writes ``icon-SIZE.png`` beside ``icon.svg``."""
    drawing = (FOLDER / "icon.svg").read_text("utf-8")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            style = f"<style>body{{margin:0}}svg{{display:block;width:{size}px;height:{size}px}}</style>"
            page.set_content(style + drawing)
            page.screenshot(path=FOLDER / f"icon-{size}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
