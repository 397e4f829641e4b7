"""What an operator agreed to when a package was installed, as it is written down in its release.

It is written once, by the marketplace, and read by the plugin's process: what a package or a server says later does not
change it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitu_core.contracts import ToolSpec
from gitu_core.errors import LoadError

FILE, FOLDER = "agreed.json", "package"
"""In the package of a release: what was agreed to, and the files of the Agent Plugins package as they came."""

SECONDS = 120.0
"""How long a call of a server's tool may take."""

_ABOUT = (
    "Instructions and files that the package {name} brings for tasks. Call it with the name of a skill before you do "
    "such a task; it gives the instructions and the names of the files, which `file` reads. Skills:"
)


class Skill(msgspec.Struct, frozen=True):
    """A skill: the name of its folder below ``skills``, and what it is for."""

    name: str
    description: str


class Server(msgspec.Struct, frozen=True, omit_defaults=True):
    """A server of tools: a program that is started (``stdio``) or an address (``http``). ``${NAME}`` in the values of
    `env` and `headers` stands for a secret."""

    kind: Literal["stdio", "http"]
    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cwd: str = ""
    url: str = ""
    headers: dict[str, str] = {}


class Pinned(msgspec.Struct, frozen=True):
    """A tool of a server: its name there, the digest of what the server said of it, and what models are told."""

    server: str
    name: str
    digest: str
    spec: ToolSpec


class Agreed(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it. With `trusted` the text of skills counts as the operator's own."""

    id: str
    name: str
    skills: tuple[Skill, ...] = ()
    servers: dict[str, Server] = {}
    tools: tuple[Pinned, ...] = ()
    trusted: bool = False
    data: str = ""

    @property
    def prefix(self) -> str:
        """What the names of its tools begin with."""
        return self.id.replace("-", "_")

    @property
    def command(self) -> str:
        """The name of the command that tells which tools its servers have."""
        return f"{self.id}-servers"


def read(folder: Path) -> Agreed:
    """What was agreed to, from the package of a release."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Agreed)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise LoadError(f"{folder / FILE}: {error}", hint="install the package again") from error


def skills_spec(agreed: Agreed) -> ToolSpec | None:
    """The one tool for all skills: their names and descriptions stand in its description, their text does not."""
    if not agreed.skills:
        return None
    most = max(60, 9_000 // len(agreed.skills) - 70)
    lines = [_ABOUT.format(name=agreed.name)]
    lines += [f"- {each.name}: {_short(each.description, most)}" for each in agreed.skills]
    arguments = {
        "skill": {"type": "string", "enum": [each.name for each in agreed.skills]},
        "file": {"type": "string", "description": "a file of the skill, as its instructions name it"},
    }
    schema = {"type": "object", "properties": arguments, "required": ["skill"], "additionalProperties": False}
    writer = "system" if agreed.trusted else "outside"
    return ToolSpec(f"{agreed.prefix}_skill", "\n".join(lines), schema, roles={"skill": "option", "file": "option"},
                    writers={"": writer}, private=False, output_limit=300_000)  # fmt: skip


def tool_spec(name: str, description: str, schema: dict[str, Any]) -> ToolSpec:
    """A tool of a server. What a server says about its effects binds nobody: it counts as one that does anything."""
    return ToolSpec(name, description, schema, effects=("write", "send", "execute"), writers={"": "outside"},
                    timeout=SECONDS)  # fmt: skip


def digest_of(description: str, schema: Any) -> str:
    """What tells whether a server still says the same of a tool."""
    said = msgspec.json.encode([description, schema], order="deterministic")
    return hashlib.sha256(said).hexdigest()


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
