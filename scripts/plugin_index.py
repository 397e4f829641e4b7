"""Build a signed index of this repository's own plugins, ready to be put on a web server.

``python scripts/plugin_index.py KEY [FOLDER]``. Every wheel is built without a network and checked in full, which
runs tests and takes some minutes; the report lies beside the wheel. With ``--fast`` there are no reports.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from gitu_core.errors import GituError, InputError
from gitu_core.testing.workshop import wheel as wheels
from gitu_core.testing.workshop.check import check
from gitu_core.testing.workshop.shapes import as_json
from gitu_core.testing.workshop.source import find
from gitu_marketplace.publish import load_key, publish

ROOT = Path(__file__).resolve().parent.parent


def add(plugin: Path, folder: Path, fast: bool) -> str:
    """Put the wheel of a plugin, and the report on it, into a folder; give the wheel's name. `InputError` if a wheel of
    that name with other content lies there: what was offered once never changes."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        built = wheels.build(find(str(plugin)), scratch)
        target = folder / built.name
        if target.is_file() and wheels.digest(target) != wheels.digest(built):
            raise InputError(f"{built.name} was built before, and is another one now", hint="give it a new version")
        target.write_bytes(built.read_bytes())
        if not fast:
            result = check(str(plugin), scratch, wheel=target)
            report = folder / (built.name.removesuffix(".whl") + ".report.json")
            report.write_text(as_json(result) + "\n", "utf-8")
            print(f"{built.name}: {result.tier or 'no tier'}", file=sys.stderr)
        return built.name


def main() -> int:
    """Build all wheels, then the index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("key", type=Path, help="the publisher's key, made by: gitu plugins index key FILE")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist" / "index", help="where to put it")
    parser.add_argument("--fast", action="store_true", help="without checks and reports")
    options = parser.parse_args()
    try:
        key = load_key(options.key)
        options.folder.mkdir(parents=True, exist_ok=True)
        for each in sorted(ROOT.glob("plugins/*/pyproject.toml")):
            add(each.parent, options.folder, options.fast)
        index = publish(options.folder, key, name="Gitu's own plugins")
    except GituError as error:
        print(f"{error.message}\nnext: {error.hint}", file=sys.stderr)
        return 1
    print(f"{options.folder}: index number {index.serial}, {len(index.plugins)} plugins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
