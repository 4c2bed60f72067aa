# attack: send itself the signal for too much CPU time, so that the verdict blames the clock
# kind: candidate
# expect: crashed
import os
import signal


def solve(number):
    os.kill(os.getpid(), signal.SIGXCPU)
