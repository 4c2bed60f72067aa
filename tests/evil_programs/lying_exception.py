# attack: make the description of an exception fail, or be no text
# kind: candidate
# expect: failed, crashed
class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit(0)


class Odd(Exception, metaclass=Meta):
    def __str__(self):
        return None


def solve(number):
    raise Odd()
