"""Makes an export out of what the store has: the turns, and everything that went into them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from gitu_core import __version__
from gitu_core.app import Gitu
from gitu_core.config import Profile
from gitu_core.contracts.ports import HistoryEntry, Session, StepEntry
from gitu_core.errors import GituError, InputError
from gitu_core.gateway import Past, turns_of
from gitu_core.hookspecs import HOOKS
from gitu_core.model import ModelInfo, ModelMessage, RouteTask, ToolSpec, TurnInfo, user  # fmt: skip
from gitu_core.model.steps import Begun, ModelAsked, Parked, Resumed
from gitu_core.runtime.toolbox import Toolbox
from gitu_core.store.cache import Tail
from gitu_core.testing.replay.file import FORMAT, Export, OfferedTool, Recorded, RecordedTurn, Said
from gitu_core.testing.replay.known import known_secrets
from gitu_core.testing.replay.leave import without_content, without_secrets
from gitu_core.testing.replay.run import played
from gitu_core.testing.replay.stage import MEASURES, Stage
from gitu_core.turns import speaker
from gitu_core.wiring import House

EVERYTHING = 1 << 40
SEEN = 501
"""Messages before a turn that a run looks at which goes on with it."""


async def export(gitu: Gitu, id: str = "", *, content: bool = True) -> Export:
    """The recorded turns that *id* names: a turn, a session, or a message by its receipt; without one the last turn.

    Secrets are taken out. Without *content* nothing of what was said is kept, and nothing can be run again.
    `InputError` if there is nothing of that name.
    """
    house = gitu.house
    await house.store.write()  # whatever was posted before is there now
    session, ids = await _named(house, id)
    history = await house.store.history(session.id, EVERYTHING, EVERYTHING)
    turns = [await _turn(house, each, session, history) for each in ids]
    profiles = _profiles(house, turns)
    said = history if id == session.id else _context(turns, history, profiles)
    found = without_secrets(
        Export(
            FORMAT, __version__, house.clock.now(), session.id, tuple(turns), tuple(map(_said, said)), profiles,
            _tools(house, profiles, {spec.by for turn in turns for spec in turn.tools}),
            await _models(house, turns), _hooks(house),
        ),
        known_secrets(house),
    )  # fmt: skip
    if content:
        return await _tried(found)
    empty: Export = without_content(found)
    return msgspec.structs.replace(empty, content=False)


# ---- which turns --------------------------------------------------------------------------------


async def _named(house: House, id: str) -> tuple[Session, list[str]]:
    """The session and the turns that *id* names."""
    store = house.store
    if not id:
        latest = await store.sessions(limit=1)
        turns = await _turns(house, latest[0]) if latest else []
        if not turns:
            raise InputError("nothing was recorded yet", hint='ask something first: gitu ask "2+2"')
        return latest[0], turns[-1:]
    if (session := await store.session(id)) is not None:
        return session, await _turns(house, session)
    turn = id.partition(".")[0]  # one that ran inside of another is told together with it
    steps = await store.steps(turn) or await store.steps_under(turns_of(id))
    session = await store.session(steps[0].session) if steps else None
    if session is None:
        raise InputError(f"there is no turn, session or message {id!r}", hint="list the sessions with: gitu sessions")
    return session, [turn if steps[0].turn == turn else Past(steps, turns_of(id)).turn]


async def _turns(house: House, session: Session) -> list[str]:
    """The turns of a session, oldest first; those that run or wait last."""
    history = await house.store.history(session.id, EVERYTHING, EVERYTHING)
    found = dict.fromkeys(entry.turn for entry in history if entry.turn)
    for receipt, _ in await house.store.pending_in(session.id):
        past = Past(await house.store.steps_under(turns_of(receipt)), turns_of(receipt))
        if past.steps:
            found[past.turn] = None
    return list(found)


# ---- what went into them ------------------------------------------------------------------------


async def _turn(house: House, id: str, session: Session, history: Sequence[HistoryEntry]) -> RecordedTurn:
    entries = await house.store.steps(id)
    first = entries[0].step if entries else None
    cause = first.info.cause if isinstance(first, Begun) else id.rpartition("-")[0]
    accepted = await house.store.accepted(cause)
    message = accepted.entry.message if accepted is not None else None
    ask = next((entry.message for entry in history if entry.message.id == cause and entry.turn == id), None)
    if accepted is not None and message is not None:
        ask = ModelMessage("user", message.parts, name=speaker(accepted.entry), id=cause, label=message.label)
    channel = message.conversation.channel if message is not None else ""
    info = TurnInfo(id, session.id, cause, user(session.person), session.profile, channel)
    inner: dict[str, list[StepEntry]] = {}
    for entry in await house.store.steps_under(f"{id}."):
        inner.setdefault(entry.turn, []).append(entry)
    return RecordedTurn(
        first.info if isinstance(first, Begun) else info, _recorded(entries), session.person, ask,
        message.conversation if message is not None else None, tuple(await house.store.approvals(turn=id)),
        tuple(_inner(turn, steps, info) for turn, steps in inner.items()),
        tools=message.tools if message is not None else (),
    )  # fmt: skip


def _inner(id: str, entries: Sequence[StepEntry], outer: TurnInfo) -> RecordedTurn:
    first = entries[0].step
    info = (
        first.info if isinstance(first, Begun) else msgspec.structs.replace(outer, id=id, cause=id.rpartition(".")[2])
    )
    return RecordedTurn(info, _recorded(entries), entries[0].person)


def _recorded(entries: Sequence[StepEntry]) -> tuple[Recorded, ...]:
    return tuple(Recorded(entry.step, entry.at) for entry in entries)


def _context(
    turns: Sequence[RecordedTurn], history: Sequence[HistoryEntry], profiles: dict[str, Profile]
) -> list[HistoryEntry]:  # fmt: skip
    """What was in the context of the turns, and what they left there."""
    wanted: set[str] = set()
    for turn in turns:
        steps = [each.step for each in turn.steps]
        seen = steps[0].seen if steps and isinstance(steps[0], Begun) else ""
        place = next((n for n, entry in enumerate(history) if entry.message.id == seen), -1)
        before = list(history[max(0, place + 1 - SEEN) : place + 1])
        if not any(isinstance(step, Parked | Resumed) for step in steps):
            before = (
                Tail(before, 0, None, 0, True).fitting(profiles[turn.info.profile].limits.context_tokens, SEEN) or []
            )
        wanted.update(entry.message.id for entry in before)
    own = {turn.info.id for turn in turns}
    return [entry for entry in history if entry.turn in own or entry.message.id in wanted]


def _said(entry: HistoryEntry) -> Said:
    return Said(entry.message, entry.tokens, entry.turn)


def _profiles(house: House, turns: Sequence[RecordedTurn]) -> dict[str, Profile]:
    """The profiles of the turns, and those that they may hand tasks to."""
    found: dict[str, Profile] = {}
    open = [turn.info.profile for turn in turns]
    while open:
        name = open.pop()
        if name not in found:
            found[name] = house.profile(name)
            open += found[name].delegates
    return found


def _tools(house: House, profiles: dict[str, Profile], carriers: set[str]) -> tuple[OfferedTool, ...]:
    """The tools that the profiles may use, as the registry offers them, and those that carried out what messages
    brought."""
    box, found = Toolbox(house.registry, house.profile), list[OfferedTool]()
    used = [spec for profile in profiles.values() for spec in box.specs(profile)]
    for offer in house.registry.offers("tool"):
        for spec in box.specs(Profile(tools=(f"{offer.plugin}:{offer.contribution.name}",))):
            if spec in used:
                found.append(OfferedTool(offer.plugin, offer.contribution.name, spec))
    hidden = [offer for name, offer in box.carriers().items() if name in carriers]
    found += [OfferedTool(each.plugin, each.contribution.name, msgspec.convert(each.contribution.spec, ToolSpec))
              for each in hidden]  # fmt: skip
    return tuple(found)


async def _models(house: House, turns: Sequence[RecordedTurn]) -> dict[str, ModelInfo]:
    """What the catalogues say about the models that were asked, as far as their providers are there."""
    found: dict[str, ModelInfo] = {}
    for turn in turns:
        for step in (each.step for one in (turn, *turn.inner) for each in one.steps):
            if isinstance(step, ModelAsked) and step.model not in found:
                with suppress(GituError):
                    plan = await house.models.plan(RouteTask(), (step.model,), turn.person, exact=True)
                    found |= {each.model: each.info for each in plan if each.model == step.model}
    return found


def _hooks(house: House) -> tuple[str, ...]:
    return tuple(
        name for name, meta in HOOKS.items() if meta.mode in ("filter", "guard") and house.registry.hooks.wants(name)
    )


async def _tried(found: Export) -> Export:
    """The export with what its models read, which running it again tells; without prices where those of today are not
    those of then: they would be told as a difference."""
    try:
        stages = [await played(found, turn) for turn in found.turns]
        if any(each.difference and each.difference.path.partition(".")[0] in MEASURES for each in stages):
            models = {
                name: msgspec.structs.replace(info, input_price=None, output_price=None)
                for name, info in found.models.items()
            }
            found = msgspec.structs.replace(found, models=models)
            stages = [await played(found, turn) for turn in found.turns]
    except GituError:  # it cannot be run again, and whoever tries is told why
        return found
    turns = (_read(turn, stage) for turn, stage in zip(found.turns, stages, strict=True))
    return msgspec.structs.replace(found, turns=tuple(turns))


def _read(turn: RecordedTurn, stage: Stage) -> RecordedTurn:
    read = {place: tuple(sorted(digests)) for place, digests in stage.tracks[turn.info.id].read.items()}
    return msgspec.structs.replace(turn, read=read, inner=tuple(_read(each, stage) for each in turn.inner))
