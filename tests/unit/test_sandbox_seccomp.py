"""The filter must answer every system call as intended, on both architectures: the bytes are run
here by an interpreter.
"""

import errno

import pytest
from mtpeft.sandbox import seccomp
from mtpeft.sandbox.seccomp import ALLOW, ENOSYS, EPERM, KILL_PROCESS, FilterPolicy, build
from mtpeft.sandbox.syscalls import ALLOWED, CONDITIONAL, DENIED

PID = 4242
MACHINES = sorted(seccomp.ARCHITECTURES)


def answer(
    machine: str, name: str | int, *arguments: int, fork: bool = False, audit: int | None = None
) -> int:
    """What the kernel would do: the classic BPF machine on a struct seccomp_data."""
    tag, column = seccomp.ARCHITECTURES[machine]
    number = name if isinstance(name, int) else {**ALLOWED, **CONDITIONAL, **DENIED}[name][column]
    values = [*arguments, *[0] * (6 - len(arguments))]
    words = {0: number, 4: tag if audit is None else audit}
    for index, value in enumerate(values):
        words[16 + 8 * index] = value & 0xFFFFFFFF
        words[20 + 8 * index] = (value >> 32) & 0xFFFFFFFF
    program = build(FilterPolicy(PID, fork), machine)
    at = accumulator = 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        if code == 0x20:
            accumulator = words[operand]
        elif code == 0x06:
            return operand
        elif code == 0x54:
            accumulator &= operand
        else:
            true = {
                0x15: accumulator == operand,
                0x25: accumulator > operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
            }[code]
            at += yes if true else no


def named(machine: str, table: dict[str, tuple[int | None, int | None]]) -> list[str]:
    column = seccomp.ARCHITECTURES[machine][1]
    return [name for name, pair in table.items() if pair[column] is not None]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_listed_call_gets_another_answer_than_its_list(machine):
    assert {name: answer(machine, name) for name in named(machine, ALLOWED)} == dict.fromkeys(
        named(machine, ALLOWED), ALLOW
    )
    assert {name: answer(machine, name) for name in named(machine, DENIED)} == dict.fromkeys(
        named(machine, DENIED), EPERM
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_an_unlisted_call_passes(machine):
    column = seccomp.ARCHITECTURES[machine][1]
    known = {pair[column] for table in (ALLOWED, CONDITIONAL, DENIED) for pair in table.values()}
    unknown = [number for number in range(600) if number not in known]
    assert {answer(machine, number) for number in unknown} == {ENOSYS}
    assert 435 in unknown and 437 in unknown  # clone3 and openat2 hide their flags behind a pointer


@pytest.mark.parametrize("machine", MACHINES)
def test_another_abi_reaches_the_kernel(machine):
    for audit in (0x40000003, 0x40000028, 0xC00000B7 if machine == "x86_64" else 0xC000003E):
        assert answer(machine, "read", audit=audit) == KILL_PROCESS
    assert answer(machine, 0x40000000) == KILL_PROCESS
    assert answer(machine, 0xFFFFFFFF) == KILL_PROCESS


@pytest.mark.parametrize("machine", MACHINES)
def test_a_signal_leaves_the_run(machine):
    for target, expected in (
        (PID, ALLOW),
        (0, ALLOW),
        (-PID, ALLOW),
        (1, EPERM),
        (-1, EPERM),
        (PID + 1, EPERM),
        (-(PID + 1), EPERM),
    ):
        assert answer(machine, "kill", target) == expected
    for name in ("tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
        assert answer(machine, name, PID) == ALLOW
        assert answer(machine, name, PID - 1) == EPERM
    assert answer(machine, "tkill", PID) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_a_single_process_forks(machine):
    thread = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000
    assert answer(machine, "clone", thread) == ALLOW
    assert answer(machine, "clone", 17) == EPERM
    assert answer(machine, "clone", 17, fork=True) == ALLOW
    if machine == "x86_64":
        assert answer(machine, "fork") == answer(machine, "vfork") == EPERM
        assert answer(machine, "fork", fork=True) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x8000]
)
def test_a_clone_makes_a_namespace_or_a_sibling(machine, flag):
    assert answer(machine, "clone", flag | 17, fork=True) == EPERM
    assert answer(machine, "clone", flag | 0x10900) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_an_argument_check_has_a_hole(machine):
    assert answer(machine, "socketpair", 1) == ALLOW
    assert answer(machine, "socketpair", 2) == EPERM
    assert answer(machine, "sendto", 3, 0, 1, 0, 0) == ALLOW
    assert answer(machine, "sendto", 3, 0, 1, 0, 0x7FFF0000) == EPERM
    assert answer(machine, "sendto", 3, 0, 1, 0, 0x100000000) == EPERM
    assert answer(machine, "prlimit64", 0) == answer(machine, "prlimit64", PID) == ALLOW
    assert answer(machine, "prlimit64", 1) == EPERM
    for command in (8, 10, 15, 1024, 1026, 1031):
        assert answer(machine, "fcntl", 0, command) == EPERM
    assert answer(machine, "fcntl", 0, 3) == ALLOW
    assert answer(machine, "ioctl", 0, 0x5401) == ALLOW
    assert answer(machine, "ioctl", 0, 0x5412) == EPERM  # TIOCSTI
    assert answer(machine, "prctl", 15) == ALLOW
    for option in (1, 4, 8, 22, 24, 35, 36, 38, 47):
        assert answer(machine, "prctl", option) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_a_descriptor_for_reading_truncates(machine):
    for flags, expected in (
        (0o1000, EPERM),
        (0o1001, ALLOW),
        (0o1002, ALLOW),
        (0, ALLOW),
        (0o2000000, ALLOW),
        (0o2001000, EPERM),
    ):
        assert answer(machine, "openat", -100, 0, flags) == expected
        if machine == "x86_64":
            assert answer(machine, "open", 0, flags) == expected


def test_a_number_is_in_two_lists():
    for column in (0, 1):
        numbers = [
            pair[column]
            for table in (ALLOWED, CONDITIONAL, DENIED)
            for pair in table.values()
            if pair[column] is not None
        ]
        assert len(numbers) == len(set(numbers))


def test_an_unknown_machine_gets_a_filter():
    with pytest.raises(KeyError):
        build(FilterPolicy(1, False), "riscv64")


def test_the_answers_are_not_what_the_kernel_calls_them():
    assert EPERM & 0xFFFF == errno.EPERM and ENOSYS & 0xFFFF == errno.ENOSYS
    assert len(seccomp.assemble(build(FilterPolicy(1, True), "x86_64"))) % 8 == 0
