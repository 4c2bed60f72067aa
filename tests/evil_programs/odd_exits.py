# attack: leave by an exit whose code is no number, or an error
# kind: candidate
# expect: failed
class Exit(SystemExit):
    code = property(lambda self: 1 / 0)

    def __str__(self):
        raise KeyboardInterrupt


def solve(number):
    raise Exit("x" * 10_000_000)
