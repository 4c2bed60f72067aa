"""What one run may use."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
        wall_seconds: From start to end.
        cpu_seconds: Of each process (RLIMIT_CPU).
        memory_bytes: Address space of each process (RLIMIT_AS), and resident memory of all of them
            together.
        stack_bytes: Of each process (RLIMIT_STACK).
        processes: 1 means that the program cannot fork at all.
        tasks: Processes and threads together.
        open_files: Descriptors of each process.
        file_bytes: Of one file.
        scratch_bytes: Of all files of the run.
        scratch_files: Files and folders of the run.
        output_bytes: Of stdout and stderr together.
    """

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * MIB
    stack_bytes: int = 8 * MIB
    processes: int = 1
    tasks: int = 32
    open_files: int = 64
    file_bytes: int = 8 * MIB
    scratch_bytes: int = 64 * MIB
    scratch_files: int = 1000
    output_bytes: int = MIB

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} is {value}; a limit is positive")
        if self.tasks < self.processes:
            raise ValueError(f"tasks ({self.tasks}) is less than processes ({self.processes})")


# A JVM starts about fifteen threads and reserves address space it never touches; with the flags of
# `runtimes.java` half of this suffices.
JAVA = Limits(memory_bytes=1024 * MIB, tasks=64, open_files=256, cpu_seconds=20, wall_seconds=20.0)
