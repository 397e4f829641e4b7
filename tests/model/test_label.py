"""Joining labels: the algebra that the policy stands on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitu_core.model import SYSTEM, UNLABELLED, Label, by_system, from_outside, join_all, private_to, user
from gitu_core.testing.strategies import labels, plain_labels, principals


def same(a: Label, b: Label) -> bool:
    """Equal in what the policy reads; unknown fields travel along and decide nothing."""
    return (a.origins, a.readers) == (b.origins, b.readers)


@given(labels, labels, labels)
def test_join_is_associative_and_commutative(a: Label, b: Label, c: Label) -> None:
    """The order in which a turn sees things does not matter."""
    assert same(a.join(b).join(c), a.join(b.join(c)))
    assert same(a.join(b), b.join(a))


@given(labels)
def test_join_is_idempotent_and_has_an_identity(a: Label) -> None:
    """Seeing the same twice, or something unlabelled, changes nothing at all."""
    assert a.join(a) == a
    assert a.join(UNLABELLED) == a
    assert same(UNLABELLED.join(a), a)


@given(labels, labels, principals, st.lists(principals, max_size=2))
def test_a_join_is_never_more_trusted_nor_more_readable(a: Label, b: Label, who: str, delegates: list[str]) -> None:
    """Monotone: it is trusted exactly where both are, and readable exactly by whom both are."""
    both = a.join(b)
    trusted = a.trusted_for(who, delegates) and b.trusted_for(who, delegates)
    assert both.trusted_for(who, delegates) == trusted
    assert both.readable_by(who) == (a.readable_by(who) and b.readable_by(who))


@given(labels, labels)
def test_a_join_keeps_every_unknown_field(a: Label, b: Label) -> None:
    """A newer peer's field is not lost by an older one's join."""
    assert set(a.join(b).extra) == set(a.extra) | set(b.extra)


@given(st.lists(plain_labels, max_size=5))
def test_joining_many_is_joining_one_by_one(many: list[Label]) -> None:
    """In any order, and of nothing at all; equal labels are equal keys."""
    assert join_all(many) == join_all(reversed(many))
    assert join_all([]) == UNLABELLED
    assert len({*many, *many}) == len(set(many))


def test_who_is_trusted() -> None:
    """The system, the principal and delegates are; an outside source never is."""
    ann = user("ann")
    assert by_system().trusted_for(ann)
    assert private_to("ann").trusted_for(ann)
    assert not private_to("ann").trusted_for(user("bob"))
    assert private_to("ann").trusted_for(user("bob"), [ann])
    assert not from_outside("web").trusted_for(SYSTEM)
    assert not private_to("ann").join(from_outside("web")).trusted_for(ann)
    assert not private_to("ann").readable_by(user("bob"))
