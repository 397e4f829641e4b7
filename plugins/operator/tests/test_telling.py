"""What the commands print holds no secret, and leads from a warning about money to the turn that it is about."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.testing import FunctionModel, call
from tests.app.test_budgets import Envelope, model, settings, spend
from tests.app.test_secrets import PLANTED, _forgotten, forms, keep_secret, main, shop
from tests.cli.driver import Cli

__all__ = ["_forgotten", "shop"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Gitu's folder."""
    folder = tmp_path / "here" / "home"
    folder.mkdir(parents=True)
    return folder


def printed(home: Path, *words: str) -> str:
    """What a command prints in this process, which knows the secret."""
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        main(["--home", str(home), *words])
    return out.getvalue()


def test_no_command_tells_a_secret(shop: Any, home: Path) -> None:
    async def talk() -> str:
        script = iter(["tells", "refuses", "crashes"])

        def each(request: Any) -> Any:
            return call(name, note=PLANTED) if (name := next(script, "")) else f"done, {PLANTED}"

        async with Gitu(model=FunctionModel(each), config=shop) as gitu:
            return (await gitu.send(f"my key is {PLANTED}", user="ana")).turn

    turn = anyio.run(talk)
    keep_secret("SHOP_KEY", PLANTED)
    said = [printed(home, *words) for words in (
        ("trace", turn, "--why", "--content"), ("audit", "--json"), ("audit",), ("trace", PLANTED),
        ("grants", "revoke", PLANTED), ("users", "settings", PLANTED),
    )]  # fmt: skip
    assert turn in said[0]
    assert "my key is [secret SHOP_KEY]" in said[0]
    assert "nothing is known as [secret SHOP_KEY]" in said[3]
    assert not [form for form in forms(PLANTED) if form in "".join(said)]


def test_trace_leads_from_a_warning_about_a_budget_to_its_turn(cli: Cli) -> None:
    async def spends() -> Any:
        budget = Envelope(per=("user",), period="day", cost=0.0009, warn=(0.05,))
        async with Gitu(model=model(), config=settings(cli.home, daily=budget)) as gitu:
            for _ in range(8):
                await spend(gitu)
            (warning,) = [each for each in await gitu.house.store.audit() if each.outcome == "warning"]
            return warning

    warning = anyio.run(spends)
    lines = cli.run("trace", warning.id, "--why").stdout
    assert "daily budget: warning" in lines.splitlines()[0]
    assert "5% of the budget daily (yours) is used" in lines.splitlines()[1]
    assert f"in turn {warning.turn} of session" in lines
