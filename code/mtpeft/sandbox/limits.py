"""What one run may use."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes that one run may use.

    memory_bytes: address space of each process (RLIMIT_AS), and resident memory of all of them
    together; processes: 1 means that the program cannot fork at all; tasks: processes and threads
    together; file_bytes: one file; scratch_bytes, scratch_files: all files of the run;
    output_bytes: stdout and stderr together.
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
