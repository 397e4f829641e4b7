"""Fences in the process that calls it: from then on its code, and what it starts, can touch only what is listed.

On Linux three walls stand behind each other, and none needs a right that an ordinary user has not: Landlock (which
files, and no TCP), seccomp (no sockets, no programs, no processes, nobody else's memory) and limits of resources.
Capabilities are dropped, so that root is nobody special. Elsewhere the limits are all there is. `apply` tells which
walls stand; what they are worth together stands in docs/security.md.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gitu_core.model import Value


class Fence(Value, frozen=True):
    """What may be touched: folders and files to read, those to write, `memory` in bytes, and with `programs` whatever
    the system lets it start."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    memory: int = 1 << 30
    programs: bool = False


LARGEST_FILE, OPEN_FILES = 256 << 20, 256
"""Bytes that a file may have, and how many may be open."""

_READ_FILE, _READ_DIR, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_FOR_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
"""Landlock's rights that a single file may be given: execute, write, read, truncate, control of devices."""

_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom")

# Numbers of system calls: x86_64, aarch64. What only one of them has is None on the other.
_FORBIDDEN = {
    "socket": (41, 198), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "setns": (308, 268),
    "unshare": (272, 97), "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "mount_setattr": (442, 442), "acct": (163, 89), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "sethostname": (170, 161), "setdomainname": (171, 162), "quotactl": (179, 60),
    "kcmp": (312, 272), "personality": (135, 92), "mknod": (133, None), "mknodat": (259, 33), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    # What other processes of the user are given of the processor.
    "sched_setaffinity": (203, 122), "setpriority": (141, 140), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    # What they share by numbers and names, which Landlock does not see, and what goes on in folders.
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    # Memory that no limit counts, and a way out of the group that is ended as a whole.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "setsid": (112, 157), "setpgid": (109, 154),
}  # fmt: skip
# Landlock knows no right for what a file is allowed; programs cannot do without.
_RIGHTS_OF_FILES = {
    "chmod": (90, None), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None),
    "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fchmod": (91, 52), "fchown": (93, 55), "fsetxattr": (190, 7), "fremovexattr": (199, 16),
}  # fmt: skip
_PROGRAMS = {"fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281)}
_CLONE, _CLONE3, _SIGNALS = (56, 220), (435, 435), ((62, 129), (200, 130), (234, 131))
_PRCTL, _PRLIMIT, _SOCKETPAIR, _FCNTL, _IOCTL = (157, 167), (302, 261), (53, 199), (72, 25), (16, 29)
_SECCOMP, _CAPSET = (317, 277), (126, 91)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

# The last number that was looked at: calls that came later are as if they did not exist, as are those of x32.
_NEWEST = 462
# Flags of `clone`: a thread with the same open files; namespaces, and a child that would be the host's.
_THREAD, _NO_CHILD = 0x10000 | 0x400, 0x7E020000 | 0x8000

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _AND, _GO, _EQUAL, _FROM, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06


def apply(fence: Fence) -> tuple[str, ...]:
    """Puts the fence around this process, for good. Gives the names of the walls that stand."""
    walls = [f"at most {fence.memory >> 20} MiB of memory"] if _limit(fence) else []
    if not sys.platform.startswith("linux") or platform.machine() not in _ARCHITECTURES:
        return tuple(walls)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: a worker never outlives its host
    if libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS: no program can give rights back, and the rest needs it
        return tuple(walls)
    number, code = _ARCHITECTURES[platform.machine()]
    if _drop_capabilities(libc, number):
        walls.append("no capabilities")
    if version := _landlock(libc, fence):
        walls.append(f"Landlock {version}: only its own files")
    if _seccomp(libc, number, code, fence.programs):
        walls.append("seccomp: no sockets" if fence.programs else "seccomp: no sockets, no programs, no processes")
    return tuple(walls)


def _limit(fence: Fence) -> bool:
    """Bounds memory, files and core dumps, where the platform has such limits."""
    try:
        import resource
    except ImportError:
        return False
    limits = {resource.RLIMIT_AS: fence.memory, resource.RLIMIT_FSIZE: LARGEST_FILE,
              resource.RLIMIT_NOFILE: OPEN_FILES, resource.RLIMIT_CORE: 0}  # fmt: skip
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        within = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        with suppress(ValueError, OSError):  # a platform may know a limit and not keep it
            resource.setrlimit(kind, (within, within))
    return 0 <= resource.getrlimit(resource.RLIMIT_AS)[0] <= fence.memory


def _drop_capabilities(libc: ctypes.CDLL, number: int) -> bool:
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; who is not root has none to drop
    header, none = struct.pack("=II", 0x20080522, 0), bytes(24)
    return bool(libc.syscall(_CAPSET[number], header, none) == 0)


def outermost(files: Iterable[str]) -> list[Path]:
    """Declared folders. One inside of another is left out: whoever may write above it could put a link in its place."""
    found = [Path(each).expanduser() for each in files]
    return [each for each in found if not any(each != other and each.is_relative_to(other) for other in found)]


def around(paths: Iterable[str], hidden: str) -> tuple[str, ...]:
    """*paths* without what is *hidden* below them: a folder that holds it is replaced by all else that is in it."""
    found: list[str] = []
    for path in dict.fromkeys(map(os.path.realpath, paths)):
        if not os.path.realpath(hidden).startswith(os.path.join(path, "")):
            found.append(path)
            continue
        with suppress(OSError):
            inside = [each.path for each in os.scandir(path) if os.path.realpath(each.path) != os.path.realpath(hidden)]
            found += around(inside, hidden)
    return tuple(found)


# ---- Landlock: which files ---------------------------------------------------------------------------------


def _landlock(libc: ctypes.CDLL, fence: Fence) -> int:
    """The version of Landlock that holds now; 0 where the kernel has none."""
    version = int(libc.syscall(444, None, ctypes.c_size_t(0), 1))
    if version < 1:
        return 0
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    network, scoped = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = struct.pack("=QQQ", rights, network, scoped)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = int(libc.syscall(444, attributes, ctypes.c_size_t(size), 0))
    if rules < 0:
        return 0
    reading = _READ_FILE | _READ_DIR | (_EXECUTE if fence.programs else 0)
    own = f"/proc/{os.getpid()}"
    more = ("/bin", "/etc") if fence.programs else ()
    for paths, allowed in (((*fence.read, *_SYSTEM, *more, own), reading), ((*fence.write, "/dev/null"), rights)):
        for path in paths:
            _allow(libc, rules, path, allowed)
    held = libc.syscall(446, rules, 0) == 0
    os.close(rules)
    return version if held else 0


def _allow(libc: ctypes.CDLL, rules: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        return
    if not os.path.isdir(path):
        allowed &= _FOR_FILES
    libc.syscall(445, rules, 1, struct.pack("=Qi", allowed, place), 0)
    os.close(place)


# ---- seccomp: which system calls ---------------------------------------------------------------------------


def _seccomp(libc: ctypes.CDLL, number: int, code: int, programs: bool) -> bool:
    """Refuses system calls with "not permitted", so that a library which only tries one goes on."""
    filters = b"".join(_program(number, code, programs))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    program = Program(len(filters) // 8, filters)
    return bool(libc.syscall(_SECCOMP[number], 1, 1, ctypes.byref(program)) == 0)  # for every thread (TSYNC)


def _program(number: int, code: int, programs: bool) -> Iterable[bytes]:
    refused, missing, own = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS, os.getpid()
    yield from (_step(_LOAD, 4), _step(_EQUAL, code, 1, 0), _step(_RETURN, _KILL), _step(_LOAD, 0))
    # The C library tries `clone` where `clone3` does not exist; only its first argument can be looked at.
    yield from (_step(_FROM, _NEWEST + 1, 1, 0), _step(_EQUAL, _CLONE3[number], 0, 1), _step(_RETURN, missing))
    for numbers in (*_FORBIDDEN.values(), *(() if programs else (*_PROGRAMS.values(), *_RIGHTS_OF_FILES.values()))):
        if (call := numbers[number]) is not None:
            yield from (_step(_EQUAL, call, 0, 1), _step(_RETURN, refused))
    # Whoever could take back that it dies with its host would outlive it; what it has open stays to be seen.
    yield from _guard(_PRCTL[number], 0, (1, 4), True)
    # The limits of other processes are theirs.
    yield from _guard(_PRLIMIT[number], 0, (0, own), False)
    # A pair for datagrams can be turned to any socket that has a name.
    yield from _guard(_SOCKETPAIR[number], 0, (1,), False)
    yield from _guard(_SOCKETPAIR[number], 1, (1, 5), False, 0xF)
    # A descriptor may send signals to whoever is said to own it, and a socket tells of the machine's network.
    yield from _guard(_FCNTL[number], 1, (8, 10, 15), True)
    yield from _guard(_IOCTL[number], 1, (0x8900,), True, 0xFF00)
    yield from _guard(_CLONE[number], 0, (0,), False, _NO_CHILD)
    if not programs:
        yield from _guard(_CLONE[number], 0, (_THREAD,), False, _THREAD)
        for call in (each[number] for each in _SIGNALS):
            yield from _guard(call, 0, (own,), False)
    yield _step(_RETURN, _ALLOW)


def _guard(call: int, place: int, values: tuple[int, ...], among: bool, mask: int = 0xFFFFFFFF) -> Iterable[bytes]:
    """Refuses a call if the bits in *mask* of its argument are *among* these values, or if they are not."""
    left = len(values)
    yield from (_step(_EQUAL, call, 0, left + among + 4), _step(_LOAD, 16 + 8 * place), _step(_AND, mask))
    for each in values:
        yield _step(_EQUAL, each, left, 0)
        left -= 1
    if among:
        yield _step(_GO, 1)
    yield from (_step(_RETURN, _ERRNO | errno.EPERM), _step(_LOAD, 0))


def _step(operation: int, value: int, true: int = 0, false: int = 0) -> bytes:
    """One instruction of the filter; *true* and *false* are how many instructions are left out then."""
    return struct.pack("=HBBI", operation, true, false, value)
