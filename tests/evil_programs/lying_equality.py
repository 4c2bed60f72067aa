# attack: return numbers, lists and texts whose own methods lie about what they are, and fill the disk when asked
# kind: candidate
# expect: failed, disk_limit
class Number(int):
    def __eq__(self, other):
        for number in range(200):
            with open(f"file{number}", "wb") as stream:
                stream.write(b"x" * (1 << 20))
        return True

    def __int__(self):
        return 9

    __index__ = __format__ = __int__
    __hash__ = int.__hash__


class Text(str):
    def encode(self, *arguments):
        raise SystemExit(0)


class Mapping(dict):
    def items(self):
        return [(Text("x"), Number(1))]


def solve(number):
    if number == 3:
        return 9
    assert Number(1) == 2 or True
    return Mapping(x=Number(1))
