"""AgentDojo's suites: tasks, environments and tools, without the model pipelines that come with them.

The package is installed into ``.bench-authority`` by ``scripts/bench_authority.sh``, without the clients of model
vendors that its pipelines want; nothing here uses them, so their modules are left out when the suites are loaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from gitu_core.model import ToolSpec

LIBRARY = Path(__file__).resolve().parents[3] / ".bench-authority" / "lib"
MISSING = "agentdojo is not installed for the benchmark; next: make bench-authority (it needs a package index)"
VERSION = "v1.1.2"


class Missing(Exception):
    """AgentDojo cannot be had here."""


def load(name: str, version: str = VERSION) -> Any:
    """A suite. `Missing` if AgentDojo is not installed, or has no such suite."""
    if str(LIBRARY) not in sys.path:
        sys.path.append(str(LIBRARY))
    found = importlib.util.find_spec("agentdojo")
    if found is None or found.origin is None:
        raise Missing(MISSING)
    if "agentdojo" not in sys.modules:
        # The package as such, and a name that `task_suite` imports and only its own `check` uses.
        bare = ModuleType("agentdojo.agent_pipeline")
        bare.__path__ = [str(Path(found.origin).parent / "agent_pipeline")]
        unused = ModuleType("agentdojo.agent_pipeline.ground_truth_pipeline")
        unused.GroundTruthPipeline = object  # type: ignore[attr-defined]
        sys.modules |= {bare.__name__: bare, unused.__name__: unused}
    try:
        suites = importlib.import_module("agentdojo.task_suite.load_suites")
        return suites.get_suite(version, name)
    except ModuleNotFoundError as error:
        raise Missing(f"{error}; {MISSING}") from error
    except KeyError as error:
        raise Missing(f"AgentDojo {version} has no suite {name!r}") from error


def described(suite: Any, specs: dict[str, ToolSpec]) -> dict[str, ToolSpec]:
    """What authors said of the tools of a suite, with the schemas of their arguments."""
    schemas = {tool.name: tool.parameters.model_json_schema() for tool in suite.tools}
    return {
        name: msgspec.structs.replace(spec, input_schema=schemas[name])
        for name, spec in specs.items() if name in schemas
    }  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One call of a ground truth."""

    tool: str
    arguments: dict[str, Any]


def steps(task: Any, environment: Any) -> list[Step]:
    """The ground truth of a task in an environment, which it does not change."""
    calls = task.ground_truth(environment.model_copy(deep=True))
    return [Step(call.function, plain(dict(call.args))) for call in calls]


def plain(value: Any) -> Any:
    """*value* as JSON data."""

    def other(item: Any) -> Any:
        return item.model_dump(mode="json") if hasattr(item, "model_dump") else str(item)

    return json.loads(json.dumps(value, default=other))


def mark(vector: str) -> str:
    """What stands in the environment where an attacker may write."""
    return f" [[{vector}]]"


@cache
def _vectors(suite: Any) -> dict[str, str]:
    return dict(suite.get_injection_vector_defaults())


@cache
def _marked(suite: Any) -> Any:
    vectors = _vectors(suite)
    injected = {vector: f"{default}{mark(vector)}" for vector, default in vectors.items()}
    return suite.load_and_inject_default_environment(injected)


class World:
    """An environment, and its tools as the suite has them."""

    def __init__(self, suite: Any, task: Any | None = None) -> None:
        self.marks = [mark(vector) for vector in _vectors(suite)]
        environment = _marked(suite).model_copy(deep=True)
        self.environment = task.init_environment(environment) if task is not None else environment
        self._tools = {tool.name: tool for tool in suite.tools}

    def run(self, step: Step) -> tuple[Any, str]:
        """What a call gives, as JSON data, and what went wrong."""
        runtime = importlib.import_module("agentdojo.functions_runtime").FunctionsRuntime(list(self._tools.values()))
        value, error = runtime.run_function(self.environment, step.tool, step.arguments)
        return plain(value), error or ""

    def marked(self, content: Any) -> bool:
        """True if an attacker may have written into *content*."""
        text = json.dumps(content, ensure_ascii=False)
        return any(each in text for each in self.marks)


def replaced(content: Any, marks: list[str], text: str) -> Any:
    """*content* with the attacker's text where the marks are."""
    if isinstance(content, str):
        for each in marks:
            content = content.replace(each, f"\n{text}\n")
        return content
    if isinstance(content, dict):
        return {key: replaced(item, marks, text) for key, item in content.items()}
    return [replaced(item, marks, text) for item in content] if isinstance(content, list) else content
