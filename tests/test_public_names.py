"""The public names are frozen: one that comes or goes changes a list here, on purpose."""

import subprocess
import sys

import gitu_core
import gitu_core.contracts

ROOT_NAMES = [
    "Account",
    "Answer",
    "AnswerDelta",
    "Ask",
    "BlobRef",
    "Claim",
    "Conversation",
    "Delivery",
    "Gitu",
    "GituError",
    "Host",
    "Label",
    "Limits",
    "Location",
    "Media",
    "Message",
    "Outgoing",
    "Profile",
    "Reply",
    "Role",
    "Schema",
    "SyncGitu",
    "Text",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolFinished",
    "ToolResult",
    "ToolSpec",
    "ToolStarted",
    "TurnEvent",
    "TurnFinished",
    "Usage",
    "hook",
    "tool",
    "__version__",
]

CONTRACT_NAMES = [
    "Account",
    "ActionSpec",
    "Adapter",
    "Admin",
    "Answer",
    "AnswerDelta",
    "Ask",
    "AskItem",
    "Asking",
    "BlobRef",
    "Blobs",
    "Block",
    "CONTENT_ROLES",
    "CallDelta",
    "CallInfo",
    "Candidate",
    "Channel",
    "Claim",
    "Command",
    "CommandSpec",
    "Context",
    "Conversation",
    "Delivery",
    "Dispatcher",
    "Effect",
    "Embedder",
    "Entry",
    "ErrorInfo",
    "Event",
    "FACETS",
    "FileInfo",
    "Files",
    "Finish",
    "Handler",
    "Health",
    "Hit",
    "Host",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "Inbox",
    "Kv",
    "Label",
    "Location",
    "Log",
    "Media",
    "MemoryQuery",
    "MemoryStore",
    "Message",
    "ModelChosen",
    "ModelEvent",
    "ModelInfo",
    "ModelMessage",
    "ModelProvider",
    "ModelRequest",
    "ModelRouter",
    "Models",
    "NANO",
    "Notify",
    "Opaque",
    "Outgoing",
    "Page",
    "Part",
    "Progress",
    "Reaction",
    "ReasoningDelta",
    "Recall",
    "Receipt",
    "Reply",
    "RouteTask",
    "RuleAction",
    "SEAMS",
    "SINK_ROLES",
    "SYSTEM",
    "Schedule",
    "Seam",
    "Secrets",
    "Step",
    "Text",
    "TextDelta",
    "Tool",
    "ToolCall",
    "ToolFinished",
    "ToolResult",
    "ToolSpec",
    "ToolStarted",
    "TurnEvent",
    "TurnFinished",
    "TurnInfo",
    "UNLABELLED",
    "Usage",
    "Value",
    "WIRE_VERSION",
    "by_system",
    "check_name",
    "clean_text",
    "contract",
    "from_outside",
    "is_sink",
    "join_all",
    "new_id",
    "outside",
    "plugin",
    "private_to",
    "seam_of",
    "text_of",
    "user",
    "user_message",
]


def test_the_root_has_these_names_and_at_most_forty() -> None:
    assert list(gitu_core.__all__) == ROOT_NAMES
    assert len(ROOT_NAMES) <= 40
    assert sorted(ROOT_NAMES[:-1]) == ROOT_NAMES[:-1]


def test_the_contracts_have_these_names() -> None:
    assert sorted(gitu_core.contracts.__all__) == CONTRACT_NAMES


def test_every_public_name_is_there() -> None:
    assert [name for name in ROOT_NAMES if not hasattr(gitu_core, name)] == []
    assert [name for name in CONTRACT_NAMES if not hasattr(gitu_core.contracts, name)] == []
    assert set(dir(gitu_core)) == set(ROOT_NAMES)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(gitu_core, "Gtiu")


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, gitu_core; print([name for name in sys.modules if name.startswith('gitu_core.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
