"""Objects on both sides: what this side lets the other call, and the stand-ins for what the other side
has."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from gitu_core.border.faults import Fault, pack, unpack
from gitu_core.border.plans import Method, Plan
from gitu_core.errors import BorderError, FacetUnavailable, GituError

if TYPE_CHECKING:
    from gitu_core.border.calling import Caller


class Proxy:
    """Stands for an object of the other side. Its data attributes are set; its methods call through the
    border."""

    gitu_plan: Plan

    def __init__(self, calls: Caller, ref: int, failed: dict[str, Fault]) -> None:
        self.gitu_calls, self.gitu_ref, self.gitu_failed = calls, ref, failed
        self.gitu_count = 1

    def __getattr__(self, name: str) -> Any:
        plan = type(self).gitu_plan
        if fault := self.__dict__.get("gitu_failed", {}).get(name):
            raise unpack(fault)
        if name in plan.parts:
            raise FacetUnavailable(f"{plan.name} does not offer {name}", hint=f"declare {name} in gitu-plugin.toml")
        if name in plan.host_only:
            # An AttributeError, so that `getattr` with a default and `hasattr` work as they do on any object.
            raise AttributeError(f"{plan.name}.{name} stays in the host: it never crosses the process border")
        raise AttributeError(f"contract {plan.name} has no attribute {name!r} here")

    def __repr__(self) -> str:
        return f"<{type(self).gitu_plan.name} {self.gitu_ref} on the other side>"


@cache
def proxy_class(plan: Plan) -> type[Proxy]:
    """The class of proxies for a contract."""
    members: dict[str, Any] = {name: member_of(method) for name, method in plan.methods.items()}
    members.update(gitu_plan=plan, __doc__=plan.protocol.__doc__, __module__=plan.protocol.__module__)
    return type(f"Remote{plan.protocol.__name__}", (Proxy,), members)


def member_of(method: Method) -> Callable[..., Any]:
    """The method of a stand-in that hands its calls to its `gitu_calls`, with its `gitu_ref`."""

    def streaming(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        items: AsyncIterator[Any] = self.gitu_calls.stream(self.gitu_ref, method, args, kwargs)
        return items

    async def unary(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.gitu_calls.call(self.gitu_ref, method, args, kwargs)

    member: Callable[..., Any] = streaming if method.streams else unary
    member.__name__ = method.name
    return member


@dataclass
class _Returned:
    """An object that was returned, and how often."""

    crossing: Any
    refs: list[int]
    count: int = 1


class Objects:
    """The objects of one connection: those that this side exports, by number, and the proxies it holds."""

    def __init__(self, calls: Caller) -> None:
        self._calls = calls
        self._next = 0
        self._exported: dict[int, tuple[object, Plan]] = {}
        self._kept: dict[tuple[int, Plan], Any] = {}
        self._returned: dict[tuple[int, Plan], _Returned] = {}
        self._proxies: weakref.WeakValueDictionary[int, Proxy] = weakref.WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._exported)

    def find(self, ref: int) -> tuple[object, Plan]:
        """The exported object with this number. `BorderError` if there is none, or none any more."""
        found = self._exported.get(ref)
        if found is None:
            what = f"there is no object {ref} here: never handed over, or the call that carried it has ended"
            raise BorderError(what, hint="use what a call hands over only while the call runs")
        return found

    def lend(self, value: object, plan: Plan, refs: list[int]) -> Any:
        """Exports *value* until `drop`; the numbers it takes are added to *refs*."""
        if isinstance(value, Proxy) and value.gitu_calls is self._calls:
            return plan.crossing(ref=value.gitu_ref, home=True)
        return self._kept.get((id(value), plan)) or self._export(value, plan, refs)

    def keep(self, value: object, plan: Plan) -> Any:
        """Exports *value* until the connection closes, under one number however often it is handed over."""
        crossing = self.lend(value, plan, [])
        if not crossing.home:
            self._kept[id(value), plan] = crossing
        return crossing

    def give(self, value: object, plan: Plan) -> Any:
        """Exports a returned object: until the other side releases it or the connection closes."""
        if (known := self._returned.get((id(value), plan))) is not None:
            known.count += 1
            return known.crossing
        refs: list[int] = []
        crossing = self.lend(value, plan, refs)
        if refs:
            self._returned[id(value), plan] = _Returned(crossing, refs)
        return crossing

    def drop(self, refs: list[int]) -> None:
        """Takes back what was lent under these numbers."""
        for ref in refs:
            self._exported.pop(ref, None)

    def released(self, ref: int, count: int) -> None:
        """The other side needs a returned object no longer, which it got *count* times; anything else
        stays."""
        if ref not in self._exported:
            return
        value, plan = self._exported[ref]
        found = self._returned.get((id(value), plan))
        if found is None or found.crossing.ref != ref:
            return
        found.count -= max(1, count)
        if found.count <= 0:
            del self._returned[id(value), plan]
            self.drop(found.refs)

    def accept(self, crossing: Any, plan: Plan) -> Any:
        """The object that a crossing stands for: this side's own, or a proxy."""
        if crossing.home:
            return self.find(crossing.ref)[0]
        proxy = self._proxies.get(crossing.ref)
        if proxy is not None and proxy.gitu_plan is plan:
            proxy.gitu_count += 1
            return proxy
        proxy = proxy_class(plan)(self._calls, crossing.ref, crossing.failed)
        for name in plan.data:
            if (value := getattr(crossing.data, name)) is not UNSET:
                proxy.__dict__[name] = value
        for name, part in plan.parts.items():
            if (nested := getattr(crossing.parts, name)) is not UNSET:
                proxy.__dict__[name] = self.accept(nested, part)
        self._proxies[crossing.ref] = proxy
        return proxy

    def clear(self) -> None:
        """The connection is closed: nothing is exported any more."""
        self._exported.clear()
        self._kept.clear()
        self._returned.clear()

    def _export(self, value: object, plan: Plan, refs: list[int]) -> Any:
        ref, self._next = self._next, self._next + 1
        self._exported[ref] = (value, plan)
        refs.append(ref)
        failed: dict[str, Fault] = {}
        data = _read(value, plan.data, failed)
        parts = {name: self._export(each, plan.parts[name], refs)
                 for name, each in _read(value, plan.parts, failed).items()}  # fmt: skip
        return plan.crossing(ref, False, plan.data_type(**data), plan.parts_type(**parts), failed)


def _read(value: object, names: Any, failed: dict[str, Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        try:
            found[name] = getattr(value, name)
        except AttributeError:
            continue  # read on the proxy, it is missing there too
        except GituError as error:
            failed[name] = pack(error)
    return found
