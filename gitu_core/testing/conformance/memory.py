"""The kit for memory stores: the laws M1 to M7."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import msgspec
import pytest
from hypothesis import strategies as st

from gitu_core.contracts import MemoryStore
from gitu_core.model import Claim, Label, MemoryQuery, from_outside
from gitu_core.testing.borders import Across
from gitu_core.testing.conformance.base import Laws, texts, tried
from gitu_core.testing.conformance.cancel import cuts
from gitu_core.testing.conformance.claims import NOW, claim, cleaned, serial, somebody
from gitu_core.testing.conformance.watch import logs, words_of
from gitu_core.testing.strategies import claims as any_claims


class MemoryStoreLaws(Laws):
    """A memory store keeps the laws M1 to M7. Give the fixture `store`, empty or not. It needs no `remote`."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        """The store under test; its author gives it."""
        raise NotImplementedError("give a fixture `store`")

    @pytest.fixture
    async def subject(self, store: MemoryStore, across: Across) -> MemoryStore:
        """The store, or what is seen of it through the border."""
        return await across(store, MemoryStore)

    @tried(kept=st.lists(any_claims, min_size=1, max_size=4, unique_by=lambda each: each.id))
    async def test_m1_get_gives_every_field_as_it_was_put(self, subject: MemoryStore, kept: list[Claim]) -> None:
        """Labels, times, unknown fields at every level; in the order asked for, unknown ids left out."""
        kept = [msgspec.structs.replace(each, id=f"{each.id}-{serial()}") for each in kept]
        await subject.put(kept)
        asked = [each.id for each in reversed(kept)]
        got = list(await subject.get(["unknown-id", *asked, "another"]))
        assert [cleaned(each) for each in got] == [cleaned(each) for each in reversed(kept)]

    @tried(text=texts)
    async def test_m1_a_text_of_any_content_is_kept(self, subject: MemoryStore, text: str) -> None:
        """Letter by letter. A NUL never reaches a store in Gitu, and may come back as its picture."""
        kept = claim(somebody(), text or "empty", label=Label(frozenset({"user:ann"}), frozenset({"user:ann"})))
        await subject.put([kept])
        assert [cleaned(each) for each in await subject.get([kept.id])] == [cleaned(kept)]

    async def test_m1_a_put_that_is_cancelled_stores_all_or_none(self, subject: MemoryStore) -> None:
        """Cancelled at every await."""
        tried: dict[int, list[Claim]] = {}

        async def put(number: int) -> None:
            person = somebody()
            tried[number] = [claim(person) for _ in range(3)]
            await subject.put(tried[number])

        async for cut in cuts(put):
            assert cut.error is None, f"put raised {cut.error!r}"
            got = await subject.get([each.id for each in tried[cut.nth]])
            assert len(got) in ((3,) if cut.ended else (0, 3)), f"cancelled at await {cut.nth}: {len(got)} of 3"

    async def test_m2_put_replaces(self, subject: MemoryStore) -> None:
        """Also within one call, where the last counts, and many times at once; the old words find nothing."""
        person, other = somebody(), somebody()
        first = claim(person, "theoldwords were these")
        newer = msgspec.structs.replace(first, text="somethingelse entirely", confidence=0.9)
        await subject.put([first])
        await subject.put([newer])
        assert list(await subject.get([first.id])) == [newer]
        assert await self._found(subject, person, "theoldwords", "theoldwords") == []
        last = msgspec.structs.replace(newer, text="thethirdone", person=other)
        await subject.put([newer, last])
        assert list(await subject.get([first.id])) == [last]
        assert [each async for each in subject.export(person)] == [], "it has moved to another person"
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(subject.put, [newer])
        assert [each async for each in subject.export(person)] == [newer]

    async def test_m3_search_gives_what_was_asked_for_and_nothing_else(self, subject: MemoryStore) -> None:
        """One person's, of the asked kinds, at most `limit`, the best first, each once."""
        person, other = somebody(), somebody()
        mine = [claim(person, f"tea and cake {n}", kind=("fact", "wish")[n % 2], created_at=NOW + n) for n in range(8)]
        await subject.put([*mine, claim(other, "tea and cake of another")])
        for text in ("tea cake", ""):
            hits = list(await subject.search(MemoryQuery(person, text, limit=50, at=NOW)))
            found = {hit.claim.id for hit in hits}
            assert found <= {each.id for each in mine}, f"another person's, for {text!r}"
            assert len(hits) == len(found), "a claim is given twice"
            assert len(found) == len(mine) or text, "without text all of them are listed"
            wishes = await subject.search(MemoryQuery(person, text, kinds=("wish",), limit=50, at=NOW))
            assert {hit.claim.kind for hit in wishes} == {"wish"}
            assert 0 < len(await subject.search(MemoryQuery(person, text, limit=3, at=NOW))) <= 3
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True), "the best first"
        assert list(await subject.search(MemoryQuery(person, "tea", limit=0, at=NOW))) == []
        assert list(await subject.search(MemoryQuery(somebody(), "tea", at=NOW))) == []

    async def test_m3_without_text_the_newest_comes_first(self, subject: MemoryStore) -> None:
        """In whatever order they were put, and whatever the clock of whoever wrote them said."""
        person = somebody()
        times = (NOW, NOW - 3600, NOW + 10**9, 0.0, NOW + 1, -(10.0**9))
        await subject.put([claim(person, created_at=at) for at in times[:3]])
        await subject.put([claim(person, created_at=at) for at in times[3:]])
        hits = await subject.search(MemoryQuery(person, at=NOW))
        assert [hit.claim.created_at for hit in hits] == sorted(times, reverse=True)

    async def test_m3_what_is_expired_at_the_time_of_the_query_is_not_given(self, subject: MemoryStore) -> None:
        """The query's time counts, not the store's clock, which may be another one's."""
        person = somebody()
        ends = {at: claim(person, f"parking number{serial()}", expires_at=at) for at in (10.0, NOW, NOW + 10**9)}
        ends[float("inf")] = claim(person, "parking for ever")
        await subject.put([*ends.values()])
        for now in (0.0, NOW - 1, NOW + 1, NOW + 2 * 10**9):
            for text in ("parking", ""):
                found = {hit.claim.id for hit in await subject.search(MemoryQuery(person, text, at=now))}
                valid = {each.id for at, each in ends.items() if at > now}
                assert found <= valid, f"expired at {now}"
                assert found == valid or text, f"left out at {now}"
        today = await subject.search(MemoryQuery(person, "parking"))
        assert ends[10.0].id not in {hit.claim.id for hit in today}, "without a time, now counts"

    @tried(text=texts)
    async def test_m4_found_by_its_own_text_at_once(self, subject: MemoryStore, text: str) -> None:
        """Whatever the text is: marks alone, nothing visible, syntax of a query language."""
        person = somebody()
        kept = claim(person, text or "empty")
        await subject.put([claim(person, "quite another thing"), kept])
        hits = await subject.search(MemoryQuery(person, kept.text, limit=5, at=NOW))
        assert kept.id in {hit.claim.id for hit in hits}

    async def test_m5_deleted_is_gone_everywhere(self, subject: MemoryStore) -> None:
        """Neither `get` nor `search` nor `export` gives it; a second time there is nothing to delete."""
        person = somebody()
        kept, gone = claim(person, "apples and pears"), claim(person, "apples and plums")
        await subject.put([kept, gone])
        assert await subject.delete([gone.id, "unknown-id"]) == 1
        assert list(await subject.get([gone.id, kept.id])) == [kept]
        assert await self._found(subject, person, "apples plums", "apples") == [kept.id]
        assert await self._found(subject, person, "", "apples") == [kept.id]
        assert [each async for each in subject.export(person)] == [kept]
        assert await subject.delete([gone.id]) == 0
        assert await subject.delete([]) == 0
        await subject.put([gone])
        assert list(await subject.get([gone.id])) == [gone], "put again, it is there again"

    async def test_m6_export_gives_everything_of_one_person_once(self, subject: MemoryStore) -> None:
        """Many, expired and retracted ones too, the oldest first; closing it early does no harm."""
        person, other = somebody(), f"{somebody()}-x"
        mine = [claim(person, created_at=NOW - n, expires_at=1.0 if n % 2 else None) for n in range(150)]
        await subject.put(mine[75:])
        await subject.put([*mine[:75], claim(other), claim(person[:-1]), claim(f"{person}0")])
        got = [each async for each in subject.export(person)]
        assert got == mine[::-1]
        async with aclosing(subject.export(person)) as stream:  # type: ignore[type-var]
            async for each in stream:
                assert each == mine[-1]
                break
        assert [each async for each in subject.export(somebody())] == []

    async def test_m7_no_content_reaches_a_log(self, subject: MemoryStore) -> None:
        """Of a claim or of a query, at any level; nor an error's words."""
        person, word = somebody(), f"confidential{serial()}"
        errors: list[BaseException] = []
        with logs() as said:
            kept = claim(person, f"{word} text", subject=word, sources=(f"message:{word}",), label=from_outside(word))
            for work in (
                lambda: subject.put([kept]), lambda: subject.put([kept, kept]), lambda: subject.get([kept.id]),
                lambda: subject.search(MemoryQuery(person, f'"{word}')), lambda: subject.delete([kept.id]),
                lambda: subject.search(MemoryQuery(person, word, limit=-1)),
                lambda: subject.put([msgspec.structs.replace(kept, expires_at=float("nan"))]),
            ):  # fmt: skip
                try:
                    await work()
                except Exception as error:  # noqa: BLE001 - what it may not say is what is looked at
                    errors.append(error)
        assert [line[:300] for line in said if word in line] == [], "content in a log"
        assert [each for each in errors if word in words_of(each)] == [], "content in an error"

    async def _found(self, subject: MemoryStore, person: str, text: str, word: str) -> list[str]:
        """The ids of the hits whose text holds *word*."""
        hits = await subject.search(MemoryQuery(person, text, at=NOW))
        return [hit.claim.id for hit in hits if word in hit.claim.text]
