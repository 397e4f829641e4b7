"""Errors as values, and back."""

from __future__ import annotations

from gitu_core.errors import GituError, by_code
from gitu_core.model import ErrorInfo
from gitu_core.secrecy import error_info as error_info


def as_error(info: ErrorInfo) -> GituError:
    """The error that a value stands for, as the class it was."""
    details = {key: value for key, value in info.details.items() if key not in ("self", "message", "hint")}
    return by_code().get(info.code, GituError)(info.message, hint=info.hint, **details)


def main_cause(error: BaseException) -> BaseException:
    """What a group of exceptions is about: the first error of ours in it, else the first of all."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [main_cause(each) for each in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, GituError)), causes[0])
