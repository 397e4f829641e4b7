"""The gallery: every wrong plugin with the law that has to catch it, and the right ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, settings

# Only whether a law catches it counts here, not the smallest value that shows it. Before the kits are imported.
settings.register_profile("gallery", phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False)
settings.load_profile("gallery")

from gitu_core.testing.conformance import (  # noqa: E402
    AdapterLaws,
    DispatcherLaws,
    EmbedderLaws,
    MemoryStoreLaws,
    ModelProviderLaws,
    ModelRouterLaws,
    RuleActionLaws,
    ToolLaws,
)
from tests.mutants import channels, dispatchers, models, stores, tools  # noqa: E402


@dataclass(frozen=True)
class Seam:
    """How the plugins of a seam are tested: its kit, the name of the author's fixture, what makes the other side."""

    kit: type
    fixture: str
    remote: Any = None
    more: tuple[tuple[str, Any], ...] = ()


SEAMS = {
    "adapter": Seam(AdapterLaws, "adapter", channels.People),
    "tool": Seam(ToolLaws, "tool", tools.Desk),
    "action": Seam(RuleActionLaws, "action", tools.Desk),
    "memory": Seam(MemoryStoreLaws, "store"),
    "provider": Seam(ModelProviderLaws, "provider", models.Service, (("credential", models.SECRET),)),
    "router": Seam(ModelRouterLaws, "router"),
    "embedder": Seam(EmbedderLaws, "embedder"),
    "dispatcher": Seam(DispatcherLaws, "dispatcher", dispatchers.Wire),
}

RIGHT: dict[str, tuple[type, ...]] = {
    "adapter": (channels.Right, channels.RightVerifiable, channels.RightBlind),
    "tool": (tools.RightBooking, tools.RightPage, tools.RightLabelled),
    "action": (tools.RightAction,),
    "memory": (stores.RightStore,),
    "provider": (models.RightProvider,),
    "router": (models.RightRouter,),
    "embedder": (models.RightEmbedder,),
    "dispatcher": (dispatchers.Right,),
}
"""What keeps every law, by seam."""

WRONG: dict[str, dict[type, str]] = {
    "adapter": {
        channels.ReturnsWhenNothingWaits: "A1", channels.RaisesItsLibrarysError: "A1", channels.LeavesATask: "A1",
        channels.TellsBeforeItIsSafe: "A2", channels.TellsPeopleTooEarly: "A2", channels.NewKeyEachTry: "A3",
        channels.KeyOfTheWords: "A3", channels.SwallowsItsEnd: "A1", channels.GivesUpTheRest: "A2",
        channels.RaisesWhenRefused: "A4", channels.SaysNotSentWhenInDoubt: "A4", channels.HopesForTheBest: "A4",
        channels.RemembersOneKey: "A5", channels.VerifiesAnything: "A6", channels.GuessesWhenBlind: "A6",
        channels.ChokesOnMarkup: "A7", channels.EndsAtNul: "A7", channels.ForgetsWhatItTook: "A8",
        channels.MarksBeforeItPosts: "A8", channels.LeavesOutTheDetails: "A9",
        channels.HasRoomForThreeButtons: "A9", channels.AnswersTheNewestQuestion: "A9",
        channels.AnswersInLowerCase: "A9", channels.CutsChoices: "A9",
        channels.SendsAnewInsteadOfChanging: "A10", channels.NeverGivesUpOnWhatIsGone: "A10",
    },
    "tool": {
        tools.DescribesItselfAnew: "T1", tools.GivesRolesToNobody: "T1", tools.StumblesOverLetters: "T2",
        tools.CountsVisits: "T3", tools.IgnoresTheKey: "T4", tools.BooksOnlyOnce: "T4", tools.SaysItHappened: "T5",
        tools.VerifiesByDoing: "T5", tools.TellsAnotherStory: "T5", tools.SaysNotDoneWhenCancelled: "T6",
        tools.RemembersOneKey: "T4", tools.SaysDoneWhenCancelled: "T6",
        tools.GoesOnInTheBackground: "T6", tools.TellsNobodyWhoWrote: "T7", tools.LabelsAnotherPart: "T7",
    },
    "action": {tools.ActionIgnoresTheKey: "T4", tools.ActionSaysItHappened: "T5"},
    "memory": {
        stores.ForgetsLabels: "M1", stores.DropsWhatItDoesNotKnow: "M1", stores.PutsOneByOne: "M1",
        stores.KeepsTheFirst: "M2", stores.SearchesEverybody: "M3", stores.TrustsItsOwnClock: "M3",
        stores.ListsTheOldestFirst: "M3", stores.FindsOnlyWords: "M4", stores.HidesInsteadOfDeleting: "M5",
        stores.CountsWhatWasAskedFor: "M5", stores.ExportsByBeginning: "M6", stores.LogsWhatItKeeps: "M7",
        stores.QuotesTheQuery: "M7", stores.ExportsAHundred: "M6", stores.IgnoresTheLimit: "M3",
    },
    "provider": {
        models.FinishesTwice: "P1", models.JustStops: "P1", models.TidiesArguments: "P2",
        models.MendsBrokenArguments: "P2", models.MixesUpCalls: "P2", models.RaisesOSError: "P3",
        models.CallsEverythingNotReady: "P3",
        models.LeavesStreamsOpen: "P4", models.AsksForItsCatalogue: "P5", models.NeedsAKeyToSayWhatItOffers: "P5",
        models.QuotesTheServer: "P6", models.HidesItInTheCause: "P6", models.LogsItsHeaders: "P6",
    },
    "router": {
        models.AddsItsFavourite: "R1", models.RollsDice: "R1", models.ReadsAFile: "R1", models.SpendsTooMuch: "R2",
        models.HopesItCan: "R2", models.TakesTurns: "R1", models.RanksTheBestTwice: "R1",
    },
    "embedder": {
        models.HasNoVectorForNothing: "E1", models.DividesByZero: "E1", models.SortsItsBatch: "E1",
        models.LooksAtTheNeighbours: "E1",
    },
    "dispatcher": {
        dispatchers.DropsWakesDuringAHandling: "D1", dispatchers.ForgetsWhatCameEarly: "D1",
        dispatchers.HandlesBesideItself: "D2", dispatchers.ShunsWhatFailed: "D3", dispatchers.FallsWithALane: "D3",
        dispatchers.CancelsAtOnce: "D4", dispatchers.WaitsForEver: "D4",
        dispatchers.LetsNoticesWait: "D5",
        dispatchers.KeepsNotices: "D5", dispatchers.RaisesWhenTheWireIsDown: "D6", dispatchers.SaysItEachTime: "D6",
    },
}  # fmt: skip
"""What breaks a law, by seam, with that law."""


ASKED = list(WRONG)
"""The seams whose plugins are tried."""


def tests_of(seam: str, plugin: type) -> type:
    """The class that an author would write: the kit with a fixture for the plugin, and one for the other side."""
    how = SEAMS[seam]
    make = getattr(plugin, "OTHER_SIDE", how.remote)

    @pytest.fixture
    def remote(self: Any) -> Any:
        return make() if make else None

    @pytest.fixture
    def given(self: Any, remote: Any) -> Any:
        return plugin(remote) if make else plugin()

    fixtures: dict[str, Any] = {"remote": remote, how.fixture: given, **dict(how.more)}
    if crash := getattr(plugin, "CRASH", None):
        fixtures["crash"] = crash
    if seam == "dispatcher":

        @pytest.fixture
        def another(self: Any, remote: Any) -> Any:
            return plugin(remote)

        fixtures["another"] = another
    return type(f"Test{plugin.__name__}", (how.kit,), fixtures)
