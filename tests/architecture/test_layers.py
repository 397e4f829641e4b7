"""Imports point downwards, libraries enter through one door, the core names no product.

Every rule is tried first on a small made-up source, which proves that it can fail; then on the project.
"""

import pytest

from tests.architecture.files import project_files, python_files, text_of
from tests.architecture.rules import core_violations, plugin_violations, products_in

CORE = python_files("gitu_core/*")
PLUGINS = python_files("plugins/*/src/*", "plugins/*/tests/*")


def test_no_arrow_of_the_core_runs_up_or_sideways() -> None:
    """Every import between rooms goes to a lower floor, and libraries enter through their door."""
    assert CORE, "no file of the core was found, so nothing was checked"
    assert [line for path in CORE for line in core_violations(path, text_of(path) or "")] == []


def test_plugins_see_only_the_public_core() -> None:
    """Plugins import what is promised to stay, and never each other."""
    assert [line for path in PLUGINS for line in plugin_violations(path, text_of(path) or "")] == []


def test_the_core_names_no_product() -> None:
    """No file of the core, its documents included, names a vendor, a model or a channel."""
    files = [name for name in project_files() if name.startswith("gitu_core/")]
    core = [name for name in files if not name.startswith("gitu_core/testing/")]
    assert [line for path in core for line in products_in(path, text_of(path) or "")] == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("errors.py", "from gitu_core.model import Part", "stands above"),
        ("errors.py", "from .model import Part", "stands above"),
        ("errors.py", "from . import model", "stands above"),
        ("contracts/tool.py", "from ..tools import Tool", "stands above"),
        ("contracts/tool.py", "import gitu_core.hookspecs", "stands above"),
        ("hookspecs.py", "from gitu_core.manifest import Manifest", "stands above"),
        ("manifest.py", "from gitu_core import tools", "stands above"),
        ("tools/schema.py", "from gitu_core.border.codec import encode", "stands above"),
        ("telemetry.py", "from gitu_core.model import Part", "may import only errors"),
        ("telemetry.py", "from gitu_core.contracts import host", "stands beside"),
        ("contracts/host.py", "from gitu_core import telemetry", "stands beside"),
        ("store/writer.py", "from gitu_core.config import Config", "stands beside"),
        ("registry/__init__.py", "def load():\n    from ..store import Writer", "stands beside"),
        ("gateway/inbox.py", "from gitu_core.runtime.turn import run", "stands beside"),
        ("policy/decide.py", "if TYPE_CHECKING:\n    from gitu_core.budget import Envelope", "stands beside"),
        ("budget/a.py", "if typing.TYPE_CHECKING:\n    import gitu_core.app", "stands above"),
        ("runtime/a.py", "class A:\n    def f(self):\n        import gitu_core.app", "stands above"),
        ("runtime/a.py", "importlib.import_module('gitu_core.gateway.inbox')", "stands beside"),
        ("runtime/a.py", "import_module('..gateway', __package__)", "stands beside"),
        ("runtime/a.py", "from gitu_core import Gitu", "gitu_core, which stands above"),
        ("sync.py", "from gitu_core import Gitu", "stands beside"),
        ("app.py", "try:\n    pass\nexcept OSError:\n    from .cli import main", "stands above"),
        ("cli.py", "from gitu_core.testing import clock", "stands beside"),
        ("store/a.py", "from gitu_core.helpers import x", "has no floor"),
        ("helpers.py", "", "has no floor"),
        ("__init__.py", "from gitu_core.app import Gitu", "lazy"),
        ("__init__.py", "def __getattr__(name):\n    from gitu_core.cli import main", "above the app"),
        ("hookspecs.py", "import pluggy", "which registry may do"),
        ("app.py", "from stevedore.named import NamedExtensionManager", "which registry may do"),
        ("gateway/outbox.py", "def f():\n    import sqlalchemy.orm", "which store may do"),
        ("runtime/a.py", "from alembic import op", "which store may do"),
        ("config.py", "import sqlite3", "which store may do"),
        ("config.py", "if TYPE_CHECKING:\n    import asyncpg", "which store may do"),
        ("routing/a.py", "import litellm", "nothing in the core"),
        ("app.py", "__import__('mcp')", "nothing in the core"),
        ("contracts/host.py", "from aiohttp import web", "which testing may do"),
        ("app.py", "import gitu_openai", "imports the plugin"),
    ],
)
def test_a_wrong_import_in_the_core_is_found(path: str, source: str, reason: str) -> None:
    """Each of these sources breaks one rule, and the sentence says which and where."""
    (line,) = core_violations(f"gitu_core/{path}", source)
    assert reason in line
    assert line.startswith(f"gitu_core/{path}:")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("model/chat.py", "from gitu_core.errors import GituError\nfrom .label import Label"),
        ("contracts/host.py", "from ..model import Part\nfrom .tool import Tool"),
        ("manifest.py", "from gitu_core import hookspecs\nfrom gitu_core.contracts import tool"),
        ("border/codec.py", "from gitu_core.tools import Tool\nfrom gitu_core.manifest import Manifest"),
        ("registry/calling.py", "import pluggy\nimport stevedore\nfrom gitu_core.border import codec"),
        ("store/columns.py", "import sqlalchemy as sa\nfrom alembic import op\nfrom .writer import Writer"),
        ("runtime/turn.py", "from gitu_core.store import Writer\nfrom gitu_core.telemetry import span"),
        ("app.py", "from gitu_core.runtime import turn\nfrom gitu_core.store import Writer"),
        ("cli.py", "from gitu_core import Gitu\nfrom gitu_core.app import Gitu"),
        ("testing/server.py", "from aiohttp import web\nfrom gitu_core.app import Gitu"),
        ("__main__.py", "from gitu_core.cli import main"),
        ("__init__.py", "import sys\nif TYPE_CHECKING:\n    from gitu_core.app import Gitu as Gitu"),
        ("__init__.py", "def __getattr__(name):\n    from .app import Gitu\n    return Gitu"),
    ],
)
def test_a_right_import_in_the_core_passes(path: str, source: str) -> None:
    """Arrows that run down, or stay inside a room, are nobody's business."""
    assert list(core_violations(f"gitu_core/{path}", source)) == []


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("src/gitu_basics/a.py", "from gitu_core.store import Writer", "may not import gitu_core.store"),
        ("src/gitu_basics/a.py", "from gitu_core import model", "may not import gitu_core.model"),
        ("src/gitu_basics/a.py", "import gitu_core.app", "may not import gitu_core.app"),
        ("src/gitu_basics/a.py", "def f():\n    from gitu_core.testing import x", "gitu_core.testing"),
        ("tests/test_a.py", "from gitu_core.runtime import turn", "may not import gitu_core.runtime"),
        ("src/gitu_basics/a.py", "import gitu_offline", "another plugin, gitu_offline"),
        ("tests/test_a.py", "from gitu_offline.model import Model", "another plugin, gitu_offline"),
    ],
)
def test_a_wrong_import_in_a_plugin_is_found(path: str, source: str, reason: str) -> None:
    """A plugin that reaches behind the public names, or into another plugin, is named."""
    (line,) = plugin_violations(f"plugins/basics/{path}", source)
    assert reason in line


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("src/gitu_basics/a.py", "import gitu_core\nfrom gitu_core import Gitu, contracts, tool"),
        ("src/gitu_basics/a.py", "from gitu_core.contracts.tool import Tool\nimport gitu_core.errors"),
        ("src/gitu_basics/sub/a.py", "from ..clock import now\nfrom gitu_basics import clock"),
        ("tests/test_a.py", "from gitu_core.testing.conformance import ToolLaws\nimport gitu_basics"),
    ],
)
def test_a_right_import_in_a_plugin_passes(path: str, source: str) -> None:
    """The public names, the contracts, the errors and the plugin itself are free."""
    assert list(plugin_violations(f"plugins/basics/{path}", source)) == []


@pytest.mark.parametrize(
    ("text", "products"),
    [
        ("# as OpenAI does", 1),
        ("telegram_token = read('SLACK_TOKEN')", 2),
        ("Works with GPT-5 and Claude.", 2),
        ("redistribute the whispered signatures", 0),
        ("a model behind an HTTP API", 0),
    ],
)
def test_products_are_found_as_words(text: str, products: int) -> None:
    """Case, underscores and punctuation do not hide a product; parts of other words are left alone."""
    assert len(list(products_in("gitu_core/a.py", text))) == products
