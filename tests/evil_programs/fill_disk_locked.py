# attack: hide files in folders that may be written and not listed
# kind: program
# expect: disk_limit
import os
import time

try:
    for number in range(40):
        os.mkdir("locked%d" % number, 0o300)
        with open("locked%d/file" % number, "wb", buffering=0) as stream:
            if stream.write(b"x" * (4 << 20)) < 4 << 20:
                break
    else:
        print("ESCAPED: 160 MiB in locked folders")
except OSError as error:
    print("refused:", error)
time.sleep(2)
