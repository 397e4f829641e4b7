"""The floors of the house and the rules of its doors. Each check returns sentences; none means all is well.

A *room* is a module or package directly below ``gitu_core``. A room imports rooms on floors below its own,
never above and never beside it.
"""

import re
from collections.abc import Iterator

from tests.architecture.imports import Import, imports_of

# Bottom first. Rooms that stand on one line share a floor and do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("model",),
    ("contracts", "telemetry", "clock", "blocking", "isolation", "failpoints", "locks", "secrecy", "schemas"),
    ("hookspecs",),
    ("manifest",),
    ("tools",),
    ("border",),
    ("config", "store", "registry"),
    ("policy", "budget", "routing", "recall", "timers", "gateway", "runtime", "settings"),
    ("broker", "overseer"),
    ("facets", "output", "options", "turns"),
    ("wiring",),
    ("app",),
    ("sync",),
    ("cli", "testing"),
    ("__main__",),
)
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}

# The lazy names of ``gitu_core`` reach up to the app, so importing one is like importing the app.
ROOT = "gitu_core"
FLOOR_OF_ROOT = FLOOR_OF["sync"]

# Stricter than its floor: everything may report to telemetry, so telemetry depends on nothing that reports.
ONLY_BELOW = {"telemetry": {"errors"}}

# Libraries that only these rooms may import.
DOORS: dict[str, set[str]] = {
    "pluggy": {"registry"},
    "stevedore": {"registry"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "sqlite3": {"store"},
    "asyncpg": {"store"},
    "keyring": {"store"},
    "aiohttp": {"testing"},
    "litellm": set(),
    "mcp": set(),
    "mcp_types": set(),
}

PLUGIN_MAY = {"contracts", "errors"}
PLUGIN_TESTS_MAY = {"contracts", "errors", "testing"}

# Underscores separate words too, so that a product in an identifier is found.
_PRODUCT = re.compile(
    r"""(?<![a-z0-9])(?:
    alexa|anthropic|azure|chatgpt|claude|copilot|deepgram|deepseek|discord|dropbox|elevenlabs|facebook|
    gemini|github|gmail|google|gpt|groq|huggingface|instagram|jira|litellm|mistral|murf|nats|ollama|
    openai|openrouter|perplexity|qwen|redis|shopify|siri|slack|spotify|telegram|trello|twilio|whatsapp|whisper
    )(?![a-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)


def room_of(path: str) -> str:
    """Return the room of a file below ``gitu_core``; the package's own ``__init__`` is the ROOT."""
    first = path.split("/")[1].removesuffix(".py")
    return ROOT if first == "__init__" else first


def target_room(found: Import) -> str | None:
    """Return the room that an import enters, ROOT for a public name, None outside ``gitu_core``."""
    if found.module == ROOT:
        return found.name if found.name in FLOOR_OF else ROOT
    head, _, rest = found.module.partition(".")
    return rest.partition(".")[0] if head == ROOT else None


def core_violations(path: str, source: str) -> Iterator[str]:
    """Check the imports of one file below ``gitu_core``."""
    room = room_of(path)
    if room != ROOT and room not in FLOOR_OF:
        yield f"{path}: the room {room!r} has no floor; give it one in {__name__}.FLOORS"
        return
    for found in imports_of(source, path):
        target = target_room(found)
        if target is None:
            reason = _outside(room, found)
        elif room == ROOT:
            reason = _from_root(target, found)
        else:
            reason = _arrow(room, target)
        if reason:
            yield f"{path}:{found.line}: {reason}"


def _outside(room: str, found: Import) -> str | None:
    library = found.module.partition(".")[0]
    if library.startswith("gitu_"):
        return f"the core imports the plugin {library}"
    if room in (allowed := DOORS.get(library, {room})):
        return None
    return f"{room} imports {library}, which {' and '.join(sorted(allowed)) or 'nothing in the core'} may do"


def _from_root(target: str, found: Import) -> str | None:
    if target != ROOT and FLOOR_OF.get(target, len(FLOORS)) > FLOOR_OF_ROOT:
        return f"{ROOT}/__init__.py reaches above the app, into {target}"
    if not found.deferred:
        return f"{ROOT}/__init__.py loads {target} at once; its names are lazy"
    return None


def _arrow(room: str, target: str) -> str | None:
    if room == target:
        return None
    if target != ROOT and target not in FLOOR_OF:
        return f"{room} imports {target}, which has no floor"
    here = FLOOR_OF[room]
    there = FLOOR_OF_ROOT if target == ROOT else FLOOR_OF[target]
    if there > here:
        return f"{room} imports {target}, which stands above it"
    if there == here:
        return f"{room} imports {target}, which stands beside it"
    if target not in ONLY_BELOW.get(room, {target}):
        return f"{room} imports {target}; it may import only {', '.join(sorted(ONLY_BELOW[room]))}"
    return None


def plugin_violations(path: str, source: str) -> Iterator[str]:
    """Check the imports of one file below ``plugins/<name>/src`` or ``plugins/<name>/tests``."""
    _, folder, part, *_ = path.split("/")
    own = f"gitu_{folder.replace('-', '_')}"
    allowed = PLUGIN_TESTS_MAY if part == "tests" else PLUGIN_MAY
    for found in imports_of(source, path.removeprefix(f"plugins/{folder}/src/")):
        package = found.module.partition(".")[0]
        if package == ROOT:
            if (target := target_room(found)) not in {ROOT, *allowed}:
                yield f"{path}:{found.line}: a plugin may not import {ROOT}.{target}"
        elif package.startswith("gitu_") and package != own:
            yield f"{path}:{found.line}: {own} imports another plugin, {package}"


def products_in(path: str, text: str) -> Iterator[str]:
    """Find names of products in a file of the core: code, comments and documents."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in _PRODUCT.finditer(line):
            yield f"{path}:{number}: names the product {found[0]!r}"
