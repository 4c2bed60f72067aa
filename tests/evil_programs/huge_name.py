# attack: raise an exception whose name is larger than a verdict may be
# kind: candidate
# expect: failed
raise type("X" * 5_000_000, (Exception,), {})("boo")
