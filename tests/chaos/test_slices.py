"""A slice of every part of `make chaos`, so that the normal run of the tests notices what breaks one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import pytest

from gitu_core.failpoints import POINTS
from tests.chaos import disk, matrix, mutants, nats, random_kills, workers
from tests.chaos.__main__ import PARTS, counted


def ran(part: Any, *only: str, kills: int = 10) -> Sequence[Any]:
    """The results of the cases of a part whose names hold all of *only*."""
    options = argparse.Namespace(only=list(only), every=False, jobs=2, kills=kills, keep=False, seed=7)
    results: Sequence[Any] = part.run(options)
    return results


@pytest.mark.parametrize(
    ("only", "cases"),
    [
        (("effect", "verifiable", "sqlite", "call.result"), 5),
        (("own", "blind", "postgresql", "outbox.before"), 4),
        pytest.param(("budget", "verifiable", "postgresql", "/ model.after"), 2, marks=pytest.mark.slow),
        pytest.param(("timer", "idempotent", "sqlite", "timer.fired"), 2, marks=pytest.mark.slow),
        pytest.param(("grow", "verifiable", "sqlite", "/ live.shown"), 5, marks=pytest.mark.slow),
        (("then", "idempotent", "postgresql", "turn.begun"), 2),
    ],
)
def test_a_slice_of_the_matrix(only: tuple[str, ...], cases: int) -> None:
    results = ran(matrix, *only)
    assert [line for each in results for line in each.broken] == []
    assert sum(each.reached for each in results) >= cases


def test_a_failpoint_that_no_scenario_reaches_is_broken() -> None:
    reached = set(POINTS) - {"outbox.after", *matrix.NOT_HERE}
    assert [line for each in matrix.never_reached(reached) for line in each.broken] != []
    assert matrix.never_reached(reached | {"outbox.after"}) == []


@pytest.mark.parametrize("only", ["killed while it takes over", "paused at call.dispatch"])
def test_a_slice_of_the_workers(only: str) -> None:
    results = ran(workers, "sqlite", "verifiable", only)
    assert [(each.point, each.breaches) for each in results] == [(only, {})]


def test_a_slice_of_the_workers_behind_nats() -> None:
    pytest.importorskip("gitu_nats", reason="the plugin nats is not installed: make setup")
    results = ran(nats, "killed at wake.heard")
    assert [(each.point, each.breaches) for each in results] == [("nats: killed at wake.heard", {})]


@pytest.mark.parametrize(
    "name", ["acknowledges_early", "acts_first", "never_asks_for_its_epoch", "keeps_what_it_set_aside"]
)
def test_hosts_that_do_it_wrong_are_caught(name: str) -> None:
    (result,) = ran(mutants, name)
    assert result.broken == []


@pytest.mark.parametrize("name", ["database read-only", "clock jumps back"])
def test_a_slice_of_what_goes_wrong_with_disks_and_clocks(name: str) -> None:
    (result,) = ran(disk, name)
    assert result.broken == []


@pytest.mark.slow
def test_a_slice_of_the_random_kills() -> None:
    (result,) = ran(random_kills, "sqlite", "verifiable", kills=60)
    assert result.broken == []


def test_every_part_has_a_slice_here_and_a_row_of_its_own() -> None:
    assert list(PARTS) == ["matrix", "workers", "nats", "mutants", "disk", "random"]
    assert counted([]) == ["0", "ok", "-"]
