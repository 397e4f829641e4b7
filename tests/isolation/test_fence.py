"""What code behind the fence tries directly, past Python: each try is refused by the kernel."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.isolation.conftest import fenced

pytestmark = fenced

numbers = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="not tested: the system calls are numbered for x86_64; run it there"
)

INSIDE = """
import ctypes, errno, fcntl, json, os, socket, struct, sys
sys.path[:0] = {path!r}
from gitu_core.registry.fence import Fence, apply
own = {own!r}
apply(Fence(read=(sys.prefix, sys.base_prefix), write=(own,), programs={programs}))
libc = ctypes.CDLL(None, use_errno=True)
there, host, said = ctypes.create_string_buffer(4096), os.getppid(), {{}}
ours, other = socket.socketpair()

def call(name, *args):
    ctypes.set_errno(0)
    done = libc.syscall(*args)
    said[name] = "done" if done >= 0 else errno.errorcode[ctypes.get_errno()]

def attempt(name, work):
    try:
        said[name] = str(work())
    except OSError as error:
        said[name] = errno.errorcode[error.errno]

{body}
print(json.dumps(said), flush=True)
"""


def inside(body: str, own: Path, programs: bool = False) -> dict[str, Any]:
    """What came of each try."""
    code = INSIDE.format(path=sys.path, own=str(own), body=body, programs=programs)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("programs", [False, True])
def test_no_datagram_reaches_a_socket_with_a_name(tmp_path: Path, programs: bool) -> None:
    """A pair of sockets needs no `socket`, and one for datagrams can be turned to whoever listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        where = str(tmp_path / "log")
        log.bind(where)
        log.setblocking(False)
        body = f"""
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC):
    attempt(int(kind), lambda: socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b"x", {where!r}))
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    first, second = socket.socketpair(socket.AF_UNIX, kind)
    attempt(f"to {{int(kind)}}", lambda: first.sendto(b"x", {where!r}) and 0)
    attempt(f"connect {{int(kind)}}", lambda: first.connect({where!r}))
call("tipc", {{"x86_64": 53, "aarch64": 199}}[os.uname().machine], 30, 1, 0, there)
"""
        said = inside(body, tmp_path, programs)
        assert {value for name, value in said.items() if name[0].isdigit() or name == "tipc"} == {"EPERM"}
        assert said["connect 1"] not in ("None", "done")
        with pytest.raises(BlockingIOError):
            log.recv(10)


def test_a_descriptor_sends_no_signal_to_its_host(tmp_path: Path) -> None:
    body = """
attempt("owner", lambda: fcntl.fcntl(ours, 8, host))
attempt("owner, more", lambda: fcntl.fcntl(ours, 15, struct.pack("ii", 1, host)))
attempt("which", lambda: fcntl.fcntl(ours, 10, 9))
for number in (0x8901, 0x8902, 0x8912):
    attempt(hex(number), lambda: fcntl.ioctl(ours, number, struct.pack("iiii", host, 0, 0, 0)))
attempt("flags", lambda: fcntl.fcntl(ours, fcntl.F_SETFL, os.O_NONBLOCK))
"""
    said = inside(body, tmp_path)
    assert said.pop("flags") == "0"
    assert set(said.values()) == {"EPERM"}, said


@numbers
@pytest.mark.parametrize("programs", [False, True])
def test_what_processes_share_beside_files_is_not_there(tmp_path: Path, programs: bool) -> None:
    """System V and POSIX queues and memory, other processes' priorities, files watched from afar, memory without limit,
    and calls that are newer than the fence."""
    body = """
for name, *args in (
    ("shmctl", 31, 0, 14, there), ("semctl", 66, 0, 0, 19, there), ("semop", 65, 0, there, 1),
    ("semtimedop", 220, 0, there, 1, 0), ("msgsnd", 69, 0, there, 1, 0), ("msgrcv", 70, 0, there, 1, 0, 0o4000),
    ("msgctl", 71, 0, 12, there), ("mq_open", 240, b"x", 0x42, 0o600, 0), ("mq_unlink", 241, b"x"),
    ("sched_setscheduler", 144, host, 0, there), ("sched_setparam", 142, host, there),
    ("sched_setattr", 314, host, there, 0), ("ioprio_set", 251, 1, host, 3 << 13),
    ("memfd_create", 319, b"x", 0), ("memfd_secret", 447, 0), ("fanotify_init", 300, 0x200, 0),
    ("dumpable", 157, 4, 0, 0, 0, 0), ("process_vm_readv", 310, host, there, 1, there, 1, 0),
    ("ptrace", 101, 16, host, 0, 0), ("io_uring_setup", 425, 8, there), ("userfaultfd", 323, 1),
    ("bpf", 321, 0, there, 72), ("keyctl", 250, 0, -3, 0), ("perf_event_open", 298, there, 0, -1, -1, 0),
    ("mount", 165, b"x", b"/mnt", b"tmpfs", 0, 0), ("unshare", 272, 0x10000000), ("pidfd_open", 434, host, 0),
    ("clone into a namespace", 56, 0x10000000 | 17, 0, 0, 0, 0), ("clone for the host", 56, 0x8000 | 17, 0, 0, 0, 0),
    ("setsid", 112), ("setpgid", 109, 0, 0),
):
    call(name, *args)
attempt("watch", lambda: libc.inotify_add_watch(libc.inotify_init1(0), b"/", 0xFFF) and 0)
call("watch", 254, libc.inotify_init1(0), b"/", 0xFFF)
for name, *args in (
    ("setxattrat", 463, -100, b"/", 0, b"user.x", there, 16), ("removexattrat", 466, -100, b"/", 0, b"user.x"),
    ("open_tree_attr", 467, -100, b"/", 1, 0, 0), ("file_setattr", 469, -100, b"/", there, 24, 0),
    ("clone3", 435, there, 88), ("x32", 0x40000000 | 41, 1, 1, 0),
):
    call("newer " + name, *args)
"""
    said = inside(body, tmp_path, programs)
    newer = {said.pop(name) for name in list(said) if name.startswith("newer")}
    assert newer == {"ENOSYS"}
    assert {name: value for name, value in said.items() if value != "EPERM"} == {}


@numbers
def test_without_programs_there_is_no_other_process_however_it_is_asked_for(tmp_path: Path) -> None:
    body = """
for name, *args in (
    ("fork", 57), ("clone", 56, 17, 0, 0, 0, 0), ("clone files", 56, 0x10900, 0, 0, 0, 0),
    ("execve", 59, b"/bin/true", 0, 0), ("execveat", 322, ours.fileno(), b"", 0, 0, 0x1000),
    ("kill", 62, host, 0), ("kill all", 62, -1, 0), ("kill group", 62, 0, 0), ("tkill", 200, host, 0),
    ("tgkill", 234, host, host, 0),
):
    call(name, *args)
import threading
worked = []
thread = threading.Thread(target=worked.append, args=(1,))
thread.start()
thread.join()
said["threads"] = len(worked)
"""
    said = inside(body, tmp_path)
    assert said.pop("threads") == 1
    assert set(said.values()) == {"EPERM"}, said


@pytest.mark.parametrize("what", ["environ", "maps", "mem", "fd", "root/etc/passwd", "cwd", "task"])
def test_nothing_of_its_host_is_seen(tmp_path: Path, what: str) -> None:
    body = f"""
attempt("open", lambda: os.open(f"/proc/{{host}}/{what}", os.O_RDONLY))
attempt("list", lambda: os.listdir(f"/proc/{{host}}/{what}"))
attempt("own", lambda: len(os.listdir("/proc/self/fd")) > 0)
"""
    said = inside(body, tmp_path)
    assert said["own"] == "True"
    assert said["open"] in ("EACCES", "ENOENT", "ENOTDIR")
    assert said["list"] in ("EACCES", "ENOENT", "ENOTDIR")


def test_programs_still_start_and_stay_in_the_group_that_is_ended_as_a_whole(tmp_path: Path) -> None:
    body = f"""
import subprocess
said["sh"] = subprocess.run(["/bin/sh", "-c", "echo a | cat"], capture_output=True, text=True).stdout
try:
    subprocess.run(["/bin/sleep", "60"], start_new_session=True)
except OSError as error:
    said["session"] = errno.errorcode[error.errno]
child = subprocess.Popen(["/bin/sh", "-c", "sleep 60 & wait"])
said["group"] = os.getpgid(child.pid) == os.getpgrp()
child.kill()
os.system("exec sleep 60 > {tmp_path}/out 2>&1 &")
"""
    code = INSIDE.format(path=sys.path, own=str(tmp_path), body=body, programs=True)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        os.killpg(process.pid, signal.SIGKILL)  # whoever was left is in there
    assert said == {"sh": "a\n", "session": "EPERM", "group": True}
