# attack: answer with an object that is equal to everything and cannot be carried
# kind: candidate
# expect: failed
class Everything:
    def __eq__(self, other):
        return True


def solve(number):
    return Everything()
