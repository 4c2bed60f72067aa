# attack: end by a signal that has no name, so that whoever names it fails
# kind: candidate
# expect: crashed
import os


def solve(number):
    os.kill(os.getpid(), 40)
