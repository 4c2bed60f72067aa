# attack: raise exceptions nested and chained deeper than anybody can follow
# kind: candidate
# expect: failed
def solve(number):
    error = ValueError("x")
    for _ in range(10_000):
        outer = ExceptionGroup("group", [error])
        outer.__cause__ = outer.__context__ = error
        error = outer
    raise error
