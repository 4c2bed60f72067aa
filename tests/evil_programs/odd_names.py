# attack: leave behind names that are no text, links to /proc and loops, modes that lock
# kind: program
# expect: passed
import os

for number in range(200):
    name = b"\xff\xfe\n\x1b]0;x\x07" + bytes([128 + number % 100]) * 100 + str(number).encode()
    if number % 2:
        os.mkdir(name, 0)
    else:
        os.close(os.open(name, os.O_CREAT, 0))
for number, target in enumerate(["/proc/self", "/proc/1/root", "/", "/dev/zero", ".", "..", "link6", "x" * 4000]):
    os.symlink(target, f"link{number}")
os.mkdir("folder")
os.symlink("../folder", "folder/folder")
print("contained")
