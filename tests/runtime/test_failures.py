"""Errors become values and errors again, whatever a plugin wrote into them."""

from __future__ import annotations

import pytest

from gitu_core.errors import InputError, LimitReached
from gitu_core.model import ErrorInfo
from gitu_core.runtime import as_error, error_info


def test_an_error_comes_back_as_the_class_it_was() -> None:
    error = as_error(error_info(LimitReached("no more", hint="wait", limit="steps")))
    assert isinstance(error, LimitReached)
    assert (error.message, error.hint, error.details) == ("no more", "wait", {"limit": "steps"})


@pytest.mark.parametrize("name", ["self", "message", "hint"])
def test_details_that_are_called_like_arguments_do_no_harm(name: str) -> None:
    error = as_error(ErrorInfo("input", "wrong", "say it again", {name: "x", "field": "amount"}))
    assert isinstance(error, InputError)
    assert (error.message, error.hint, error.details) == ("wrong", "say it again", {"field": "amount"})
