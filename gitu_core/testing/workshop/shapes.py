"""What was found, as text for people, and as JSON, JUnit or SARIF 2.1.0 for programs."""

from __future__ import annotations

import os
import sys
from typing import Any
from xml.etree import ElementTree

import msgspec

from gitu_core import __version__
from gitu_core.secrecy import hidden
from gitu_core.testing.workshop.rules import TIERS, Outcome, load

_MARKS = {"passed": ("ok", 32), "failed": ("no", 31), "exempt": ("--", 34), "unchecked": ("??", 33)}


class Result(msgspec.Struct, frozen=True):
    """What was found of a plugin. `wheel` and `sha256` are named where a wheel was looked at."""

    plugin: str
    distribution: str
    version: str
    core: str
    tier: str
    complete: bool
    rules: tuple[Outcome, ...]
    wheel: str = ""
    sha256: str = ""


def shaped(result: Result, format: str, brief: bool = False) -> str:
    """The result in a format; without secrets, as everything that is printed. *brief* text tells only what is not
    kept."""
    if format == "text":
        return hidden(text(result, brief))
    return hidden({"json": as_json, "junit": junit, "sarif": sarif}[format](result))


def as_json(result: Result) -> str:
    """All of it."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()


def text(result: Result, brief: bool = False) -> str:
    """A line a rule, findings below it, the tier at the end."""
    lines = []
    for each in [each for each in result.rules if each.status == "failed" or not brief]:
        mark, colour = _MARKS[each.status]
        if each.status == "failed" and each.level == "warning":
            colour = 33
        evidence = f"  {each.evidence}" if each.evidence and each.status != "failed" else ""
        lines.append(f"{painted(mark, colour)}  {each.rule:<13} {each.tier:<9}{evidence}".rstrip())
        for finding in each.findings:
            lines += [f"      {each.level}: {finding}", f"      next: {finding.hint}"]
    errors = sum(len(each.findings) for each in result.rules if each.level == "error")
    warnings = sum(len(each.findings) for each in result.rules if each.level == "warning")
    if result.wheel:
        lines.append(f"wheel: {result.wheel}, sha256 {result.sha256}")
    tier = result.tier or "none"
    if not result.complete:
        tier += " (not every rule was checked)"
    return "\n".join([*lines, f"{result.plugin} {result.version}: {errors} errors, {warnings} warnings; tier: {tier}"])


def painted(word: str, colour: int) -> str:
    """*word* in a colour, where a person looks at it and wants colours."""
    shown = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{colour}m{word}\x1b[0m" if shown else word


def junit(result: Result) -> str:
    """A test case a rule."""

    def count(status: str) -> str:
        return str(sum(1 for each in result.rules if each.status == status))

    numbers: dict[str, Any] = {"tests": str(len(result.rules)), "failures": count("failed"), "errors": "0",
               "skipped": str(int(count("unchecked")) + int(count("exempt")))}  # fmt: skip
    suites = ElementTree.Element(
        "testsuites", name="gitu check", **{k: v for k, v in numbers.items() if k != "skipped"}
    )
    suite = ElementTree.SubElement(suites, "testsuite", {"name": result.plugin, **numbers})
    for each in result.rules:
        case = ElementTree.SubElement(suite, "testcase", name=each.rule, classname=f"gitu.check.{result.plugin}")
        if each.status == "failed":
            said = "\n".join(f"{finding}\nnext: {finding.hint}" for finding in each.findings)
            failure = ElementTree.SubElement(case, "failure", message=str(each.findings[0]), type=each.level)
            failure.text = _clean(said)
            failure.set("message", _clean(failure.get("message", "")))
        elif each.status != "passed":
            ElementTree.SubElement(case, "skipped", message=_clean(each.evidence))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode")


def _clean(text: str) -> str:
    """*text* without the characters that XML has no place for."""
    return "".join(c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?"
                   for c in text)  # fmt: skip


def sarif(result: Result) -> str:
    """For code scanning: every finding as a result."""
    rules: list[dict[str, Any]] = [
        {"id": each.rule, "defaultConfiguration": {"level": each.level},
         "shortDescription": {"text": load()[each.rule].what if each.rule in load() else "statements and files agree"},
         "properties": {"tier": each.tier, "status": each.status}}
        for each in result.rules
    ]  # fmt: skip
    found: list[dict[str, Any]] = []
    for number, each in enumerate(result.rules):
        for finding in each.findings:
            place: dict[str, Any] = {"artifactLocation": {"uri": finding.file or "pyproject.toml"}}
            if finding.line:
                place["region"] = {"startLine": finding.line}
            found.append({"ruleId": each.rule, "ruleIndex": number, "level": each.level,
                          "message": {"text": f"{finding.what} (next: {finding.hint})"},
                          "locations": [{"physicalLocation": place}]})  # fmt: skip
    driver = {"name": "gitu check", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": found, "properties": {"tier": result.tier, "tiers": TIERS}}
    log = {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode()
