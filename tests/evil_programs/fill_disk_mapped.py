# attack: fill the disk with files that have neither name nor descriptor, only a mapping
# kind: program
# expect: disk_limit
import ctypes
import os
import time

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
try:
    for number in range(100):
        descriptor = os.open("file", os.O_RDWR | os.O_CREAT)
        if os.write(descriptor, b"x" * (4 << 20)) < 4 << 20:
            break
        libc.mmap(None, 4096, 1, 2, descriptor, 0)
        os.unlink("file")
        os.close(descriptor)
    else:
        print("ESCAPED: 400 MiB in mapped files")
except OSError as error:
    print("refused:", error)
time.sleep(2)
