# attack: raise a message that no file and no terminal can take
# kind: candidate
# expect: failed
raise ValueError("\udfff\x1b]0;owned\x07\u202e\r\n" * 1000)
