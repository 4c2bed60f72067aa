# attack: fill logs and scores with the message and the ancestors of an exception
# kind: candidate
# expect: failed
class Loud(Exception):
    def __str__(self):
        return "y" * 5_000_000


for number in range(300):
    Loud = type("L%d" % number + "x" * 10_000, (Loud,), {})


def solve(number):
    raise Loud()
