"""Errors as values, and back."""

from __future__ import annotations

from gitu_core.errors import GituError, by_code
from gitu_core.model import ErrorInfo
from gitu_core.secrecy import hidden

_JSON = (str, int, float, bool, type(None))


def error_info(error: BaseException) -> ErrorInfo:
    """An error as a value, without secrets. Of an error that is not ours only its class is told: its text may hold
    anything."""
    if isinstance(error, GituError):
        told = {key: hidden(value) if isinstance(value, str) else value for key, value in error.details.items()}
        details = {hidden(key): value for key, value in told.items() if isinstance(value, _JSON)}
        return ErrorInfo(error.code, hidden(error.message), hidden(error.hint), details)
    return ErrorInfo("error", f"{type(error).__name__} was raised", "see the log")


def as_error(info: ErrorInfo) -> GituError:
    """The error that a value stands for, as the class it was."""
    return by_code().get(info.code, GituError)(info.message, hint=info.hint, **info.details)


def main_cause(error: BaseException) -> BaseException:
    """What a group of exceptions is about: the first error of ours in it, else the first of all."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [main_cause(each) for each in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, GituError)), causes[0])
