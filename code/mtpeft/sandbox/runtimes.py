"""The interpreters that run untrusted programs, and what each of them has to read."""

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mtpeft.sandbox import landlock
from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.identity import Identity, reachable

_LOADERS = {
    "x86_64": ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"),
    "aarch64": ("/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"),
}
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/random",
    "/dev/urandom",
)
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True)
class Runtime:
    """One interpreter.

    Attributes:
        name: Of the language or program.
        version: For the record.
        argv: How to start it.
        environment: The variables that it needs.
        accesses: What it reads and runs.
    """

    name: str
    version: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    accesses: tuple[landlock.Access, ...]


def _base_accesses(machine: str) -> list[landlock.Access]:
    result = [landlock.Access(path, landlock.READ) for path in _LIBRARIES]
    result += [landlock.Access(path, landlock.READ) for path in _FILES]
    result += [landlock.Access(path, landlock.RUN) for path in _LOADERS[machine]]
    result.append(landlock.Access("/dev/null", landlock.DEVICE))
    return result


_ASK_PYTHON = (
    "import json, sys, sysconfig; print(json.dumps([sys.version.split()[0], sys.base_prefix, "
    "sysconfig.get_path('stdlib'), sysconfig.get_path('platstdlib'), sysconfig.get_config_var('LIBDIR')]))"
)


@functools.cache
def _python_facts(binary: str) -> tuple[str, ...]:
    done = subprocess.run(
        [binary, "-I", "-S", "-c", _ASK_PYTHON],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return tuple(item or "" for item in json.loads(done.stdout))


def python(identity: Identity, wanted: str | None = None) -> Runtime:
    """The Python interpreter that the identity may use: `wanted`, or this one, or the system's.

    Raises:
        SandboxRefused: None can be reached (a virtual environment below root's home cannot: the
            sandbox's uid may not pass that folder).
    """
    tried = []
    own = str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())
    for name in [wanted] if wanted else [own, "/usr/local/bin/python3", "/usr/bin/python3"]:
        binary = str(Path(name).resolve())
        if not os.access(binary, os.X_OK) or not reachable(binary, identity):
            tried.append(f"{name}: not there, or not readable for uid {identity.uid}")
            continue
        version, prefix, *folders = _python_facts(binary)
        if not reachable(folders[0], identity):
            tried.append(f"{name}: its library {folders[0]} is not readable for uid {identity.uid}")
            continue
        accesses = [*_base_accesses(platform.machine()), landlock.Access(binary, landlock.RUN)]
        accesses += [
            landlock.Access(folder, landlock.READ)
            for folder in {*folders, f"{prefix}/lib"}
            if folder
        ]
        environment = {
            **_ENVIRONMENT,
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONHOME": prefix,
        }
        return Runtime(
            "python",
            version,
            (binary, "-S", "-B"),
            tuple(sorted(environment.items())),
            tuple(accesses),
        )
    raise SandboxRefused(
        "an interpreter outside private folders",
        "; ".join(tried),
        "a Python >= 3.8 that an unprivileged user may read and run",
        "apt-get install python3, or name one with MTPEFT_SANDBOX_PYTHON",
    )


# From the measured minimum upwards: a serial collector, small code caches and no performance data
# let a JVM live in 512 MiB of address space and keep it from writing outside the scratch folder.
_JVM_FLAGS = (
    "-Xmx128m",
    "-Xss1m",
    "-XX:+UseSerialGC",
    "-XX:ReservedCodeCacheSize=32m",
    "-XX:MaxMetaspaceSize=96m",
    "-XX:CompressedClassSpaceSize=32m",
    "-XX:-UsePerfData",
    "-XX:-UseContainerSupport",
    "-XX:-MaxFDLimit",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-XX:ErrorFile=/dev/null",
    "-Djava.io.tmpdir=.",
)
# The modules that are left out let a program read the virtual machine's whole memory.
_JVM_MODULES = "--limit-modules=java.se,jdk.charsets,jdk.localedata,jdk.zipfs"


@functools.cache
def _java_version(binary: str) -> str:
    done = subprocess.run(
        [binary, "-version"], capture_output=True, text=True, timeout=60, check=True
    )
    return (done.stderr or done.stdout).splitlines()[0]


def _no_native_code(version: str, policy: str) -> tuple[str, ...]:
    """Flags that keep a program from loading a library: where nothing can be mounted, one of the
    scratch folder could be loaded, and would read the machine's whole memory.

    Args:
        version: What the machine prints.
        policy: The file `inside/java.policy`.
    """
    number = re.search(r'"(\d+)', version)
    if number and int(number[1]) >= 24:  # the security manager was removed
        return ("--illegal-native-access=deny",)
    flags = ("-Djava.security.manager", f"-Djava.security.policy=={policy}")
    # From 17 on the machine's own fields are closed anyway, and the option is one of no effect.
    return flags if number and int(number[1]) >= 17 else ("--illegal-access=deny", *flags)


def java(identity: Identity, program: str = "java", policy: str = "") -> Runtime:
    """The JVM that the identity may use.

    Args:
        identity: As whom it runs.
        program: `java` or `javac`.
        policy: For `java`: a file with what programs may ask of the machine.

    Raises:
        SandboxRefused: There is none.
    """
    found = shutil.which(program)
    binary = str(Path(found).resolve()) if found else ""
    if not found or not reachable(binary, identity):
        raise SandboxRefused(
            "a Java runtime",
            f"no {program} that uid {identity.uid} can reach",
            "a JDK >= 11 that an unprivileged user may read and run",
            "make setup-analysers",
        )
    home = Path(binary).parents[1]
    accesses = [
        *_base_accesses(platform.machine()),
        landlock.Access(str(home), landlock.READ),
        landlock.Access(binary, landlock.RUN),
    ]
    # Debian's JDK keeps its configuration in /etc and links to it
    linked = {
        path.resolve().parent
        for path in [home / "conf", *(home / "conf").glob("*"), *(home / "lib").glob("*")]
        if path.is_symlink() and path.exists()
    }
    accesses += [landlock.Access(str(path), landlock.READ) for path in sorted(linked)]
    version = _java_version(str(Path(binary).with_name("java")))
    if program == "java":
        flags = (*_JVM_FLAGS, _JVM_MODULES, *_no_native_code(version, policy))
        accesses.append(landlock.Access(policy, landlock.READ))
    else:
        flags = tuple(f"-J{flag}" for flag in _JVM_FLAGS)
    return Runtime(
        program,
        version,
        (binary, *flags),
        tuple(sorted(_ENVIRONMENT.items())),
        tuple(accesses),
    )
