# attack: hold memory that no count shows: shared, filled, and unmapped but for a page
# kind: program
# expect: passed
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
SIZE = 64 << 20
held = 0
for flags in (0x21, 0x23):
    for _ in range(12):
        start = libc.mmap(None, SIZE, 3, flags, -1, 0)
        if start in (None, 2**64 - 1):
            print("refused:", os.strerror(ctypes.get_errno()))
            break
        ctypes.memset(start, 1, SIZE)
        libc.munmap(start + 4096, SIZE - 4096)
        held += SIZE
if held > 512 << 20:
    print("ESCAPED:", held, "bytes in shared memory")
try:
    zero = os.open("/dev/zero", os.O_RDONLY)
    if libc.mmap(None, SIZE, 1, 1, zero, 0) not in (None, 2**64 - 1):
        print("ESCAPED: shared memory through /dev/zero")
except OSError as error:
    print("refused:", error)
print("contained")
