"""Execution of untrusted programs: does the code that a model wrote pass its tests? (pass@k)

Threat model. The candidate is code that nobody has read. It may be wrong, runaway or hostile. It
may want to reach the network, read secrets of the host (environment, home, other processes), change
anything outside its scratch folder, exhaust the machine, outlive its time limit, disturb the next
instance, or be scored as passed without solving the task. The kernel, the interpreter's own files,
the benchmark's test code and this package are trusted.

What holds it (`confine.py`, in this order, in the child between fork and exec):

- rlimits: CPU, address space, stack, file size, open files, tasks, no core, no locked memory.
- identity: as root a dedicated uid and gid (RLIMIT_NPROC does not bind uid 0); no capabilities.
- no_new_privs: no set-uid program gives anything back.
- Landlock: reading only what the interpreter needs, writing only below the scratch folder, starting
  only the interpreter and its dynamic loader; where the kernel knows them also TCP, abstract sockets, signals.
- seccomp-BPF: an allow-list of system calls with argument checks, for x86-64 and aarch64
  (`seccomp.py`); any other ABI (i386, x32) kills the process.

And from outside (`supervisor.py`): wall time, total output, total scratch use, number of tasks,
resident memory, the end of every process of the run, the removal of its scratch folder, and a check
that nothing is left. Except for the size of the scratch folder (see below) none of this needs a
namespace or a control group, so it is the same on a bare
host as root or not and inside an unprivileged container. `guarantees.py` tries each guarantee
before the first instance and refuses to run, by the guarantee's name, where it does not hold.

Why the verdict cannot be forged:

- Function instances (HumanEval): the tests run in a second sandboxed process, the judge. The
  candidate's process sees one call's arguments at a time and answers with plain data
  (`inside/wire.py`: no pickle, no objects). It has no copy of the tests, no descriptor of the
  verdict pipe, and no permission to signal, trace or read the judge. Exit codes and printed text
  are never read. A patched assert, a replaced builtin, an object equal to everything, os._exit(0),
  a walk through frames for a token: all of it happens in a process whose word counts for nothing
  but its answers.
- Program instances (Python, Java): what the program prints is compared, outside, with an expected
  output that the program never sees. A case without expected output accepts any program that ends
  with exit code 0; such a program vouches for itself, so no score may rest on one.
- Java methods share a process with their tests (`java.py`): the tests need the method's own types.
  The harness is compiled apart, in a package of its own, and is loaded first; the words that say that a
  test holds come through a pipe that gives them once and are held in a local variable; the JVM lacks
  the modules that read its memory; what a method returns is looked at before it is compared. A type
  that the right answer declares as well is taken as it is, also in its `equals`.

What remains:

- A kernel defect reachable through the allowed system calls.
- A candidate may recognize the benchmark by the arguments and answer from memory, as any solution
  may.
- Landlock does not govern stat and readlink: the candidate can learn that a path exists and where a
  symbolic link of the host points. It can also learn the kernel's version (uname).
- The interpreter needs the dynamic loader, and the loader starts any program that may be read: what
  lies in the interpreter's own folders runs too, under the same confinement.
- The scratch folder is a file system in memory with the limits as its size, in a mount namespace of
  the supervisor's own (`sandbox/mounts.py`). Where neither root's capability nor a namespace of users
  is to be had, files are counted every 20 ms, those included that are deleted and still open or
  mapped; between two samples the size of a file times open files bounds the overshoot.
- Memory that is shared without a file (`mmap` with MAP_SHARED and MAP_ANONYMOUS) is refused, since no
  count of a process shows it: a right program that asks for some fails.
- Tasks and resident memory of several processes are sampled every 20 ms. Between two samples
  RLIMIT_NPROC, and RLIMIT_AS of each process, bound the overshoot.
- RLIMIT_NPROC of an ordinary user counts all processes of that user, so it is set to their present
  number plus the limit plus a slack (`processes.SHARED_UID_SLACK`); the sample enforces the exact
  limit.
- CPU time is limited per process; a run of several processes may use it in each, within the wall
  time.
- Caches and timing are shared with other processes: side channels are out of scope.
"""
