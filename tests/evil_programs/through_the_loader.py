# attack: run a program through the dynamic loader, which may be run, and go on from there
# kind: program
# expect: passed
import os
import sys
then = """
import os, socket
for name, attempt in (
    ("a socket", lambda: socket.socket()),
    ("/etc/passwd", lambda: open("/etc/passwd").read()),
    ("a file outside", lambda: open("/tmp/mtpeft-through-the-loader", "w")),
    ("a shell", lambda: os.execv("/bin/sh", ["sh", "-c", "echo ESCAPED: a shell"])),
):
    try:
        attempt()
        print("ESCAPED:", name)
    except OSError as error:
        print("refused:", error)
print("contained", flush=True)
"""
loaders = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1",
           "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1")
for loader in loaders:
    try:
        os.execv(loader, ["ld", sys.executable, "-I", "-S", "-c", then])
    except OSError as error:
        print("refused:", error)
exec(then)
