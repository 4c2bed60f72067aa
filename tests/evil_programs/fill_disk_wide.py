# attack: hide files in folders that are listed last
# kind: program
# expect: disk_limit
import os
import time

for number in range(700):
    os.mkdir("folder%d" % number)
last = [entry.name for entry in os.scandir(".") if entry.is_dir()][-200:]
try:
    for name in last:
        with open(name + "/file", "wb", buffering=0) as stream:
            if stream.write(b"x" * (2 << 20)) < 2 << 20:
                break
    else:
        print("ESCAPED: 400 MiB in many folders")
except OSError as error:
    print("refused:", error)
time.sleep(2)
