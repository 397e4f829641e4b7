"""`gitu dev`: a change of a file is seen, checked, and answered from the new code."""

from __future__ import annotations

import queue
import shutil
import signal
import threading
import time
from pathlib import Path

from gitu_core.testing.workshop.dev import watched
from tests.cli.driver import Cli

PATIENCE = 60.0


def test_an_edit_gives_the_new_answer_and_a_broken_one_is_told_and_survived(
    written: dict[str, Path], cli: Cli, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(written["tool"], tmp_path / "plugin"))
    code = folder / "src/gitu_my_tool/__init__.py"
    text = code.read_text("utf-8")
    cli.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    cli.env["PYTHONUNBUFFERED"] = "1"
    with cli.start("dev", str(folder), "--message", "Count the words of a text: one two three") as process:
        lines: queue.Queue[str] = queue.Queue()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            threading.Thread(target=lambda s=stream: [lines.put(line) for line in s], daemon=True).start()

        def wait_for(word: str) -> None:
            seen, until = [], time.monotonic() + PATIENCE
            while time.monotonic() < until:
                seen.append(lines.get(timeout=PATIENCE))
                if word in seen[-1]:
                    return
            raise AssertionError(f"{word!r} did not come: {seen}")

        try:
            wait_for(" words")
            code.write_text(text.replace('} words"', '} pieces"'), "utf-8")
            wait_for(" pieces")
            code.write_text(text + "\n\nimport socket  # noqa: F401\n", "utf-8")
            wait_for("it uses socket, and its manifest does not declare network")
            code.write_text(text.replace('} words"', '} things"'), "utf-8")
            wait_for(" things")
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130


def test_only_sources_are_watched(tmp_path: Path) -> None:
    for name in ("src/a.py", "src/__pycache__/a.py", ".venv/b.py", "dist/c.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    before = watched(tmp_path)
    assert [Path(each).name for each in before] == ["a.py"]
    (tmp_path / "src/a.py").write_text("22")
    assert watched(tmp_path) != before
