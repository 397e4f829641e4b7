"""``gitu export`` and ``gitu replay``. `gitu_core.__main__` adds them to the commands of `gitu_core.cli`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

ADDED: dict[str, tuple[str, str]] = {
    "export": (".testing.commands", "write recorded turns to a file"),
    "replay": (".testing.commands", "run the turns of a file again, offline, and tell the first difference"),
}
"""The commands: the module that has them, as seen from `gitu_core.cli`, and what they do."""

_TEST = '''"""Turns as they were recorded. They have to go the same way again. Written by `gitu replay`."""

from pathlib import Path

from gitu_core.testing import replay_file


def test_the_recorded_turns_go_the_same_way_again() -> None:
    assert replay_file(Path(__file__).with_name({name}))
'''


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name == "export":
        command.add_argument(
            "id", nargs="?", default="", help="a turn, a session or a message (default: the last turn)"
        )
        command.add_argument("--out", help="the file to write; - for standard output (default: ID.json)")
        command.add_argument("--no-content", action="store_true", help="leave out what was said")
        return
    command.add_argument("file", type=Path, help="a file that gitu export wrote")
    command.add_argument("--to-test", type=Path, metavar="FILE", help="write a pytest file, and the export beside it")
    command.add_argument("--force", action="store_true", help="let --to-test replace what is there already")
    command.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command; `replay` gives 1 where something differs."""
    import anyio

    return anyio.run(_export if options.command == "export" else _replay, options)


async def _export(options: argparse.Namespace) -> int:
    from gitu_core.app import Gitu
    from gitu_core.config import load
    from gitu_core.testing.replay.collect import export
    from gitu_core.testing.replay.file import save, written

    async with Gitu(config=load(options.config, home=options.home)) as gitu:
        found = await export(gitu, options.id, content=not options.no_content)
    steps = sum(len(one.steps) for turn in found.turns for one in (turn, *turn.inner))
    for name, times in sorted(found.redacted.items()):
        print(f"replaced: the secret {name}, {times} times", file=sys.stderr)
    if options.out == "-":
        sys.stdout.write(written(found).decode())
        return 0
    path = Path(options.out or f"{options.id or found.turns[0].info.id}.json")
    save(found, path)
    print(f"written: {path} ({len(found.turns)} turns, {steps} steps)")
    return 0


async def _replay(options: argparse.Namespace) -> int:
    import msgspec

    from gitu_core.testing.replay.file import load
    from gitu_core.testing.replay.run import replay

    found = await replay(load(options.file))
    same = all(each.difference is None for each in found)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found, enc_hook=str), indent=2).decode())
    else:
        print("\n".join(map(str, found)))
    if options.to_test is not None:
        if not same:
            print("gitu: no test was written: it would fail", file=sys.stderr)
            return 1
        _write_test(options.file, options.to_test, options.force)
    return 0 if same else 1


def _write_test(export: Path, test: Path, force: bool) -> None:
    """Writes the test, and a copy of the export beside it unless it is there already. Replaces nothing without
    *force*."""
    from gitu_core.errors import InputError

    copy = test.with_suffix(".json")
    try:
        beside = export.resolve().parent == test.resolve().parent
        data = export.read_bytes()
        taken = [path for path in (test, *(() if beside else (copy,))) if os.path.lexists(path)]
        if taken and not force:
            raise InputError(f"{taken[0]} exists already; nothing was written",
                             hint="name another file, or give --force to replace it")  # fmt: skip
        test.parent.mkdir(parents=True, exist_ok=True)
        if beside:
            copy = export
        else:
            copy.write_bytes(data)
            os.chmod(copy, 0o600)
        test.write_text(_TEST.format(name=json.dumps(copy.name)), "utf-8")
    except OSError as error:
        raise InputError(f"{test} cannot be written: {error.strerror}", hint="name another file") from error
    print(f"written: {test}")
