from __future__ import annotations
import pytest, time
from gitu_core.model import ToolCall, CallInfo
from tests.registry.conftest import Make, Site, status
pytestmark = pytest.mark.anyio

class Ctx:
    info = CallInfo("c","k")
    deps = None
    async def progress(self, text, fraction=None): print("progress", text)

async def test_tool(site: Site, make: Make, reports) -> None:
    site.tool("good", "wave")
    registry = make(trusts=lambda id, d: False)
    t=time.perf_counter()
    await registry.start()
    tool = await registry.get("tool", "wave")
    print("ready in", time.perf_counter()-t, reports)
    res = await tool.run(ToolCall("1","wave",{}), Ctx())
    print(res)
    n=2000
    ts=[]
    for _ in range(n):
        t=time.perf_counter(); await tool.run(ToolCall("1","wave",{}), Ctx()); ts.append(time.perf_counter()-t)
    ts.sort(); print("median us", ts[n//2]*1e6)
    rec=registry._record("good")
    pid=rec.active.apart._run.pid
    print(rec.active.apart.walls)
    print([l for l in open(f"/proc/{pid}/status") if "Rss" in l or "VmSize" in l])
    print(open(f"/proc/{pid}/smaps_rollup").read())
    print(status(registry,"good").isolation)
    await registry.stop()
    import anyio; await anyio.sleep(0.3)
    import os; print(os.path.exists(f"/proc/{pid}"))
    assert 0
