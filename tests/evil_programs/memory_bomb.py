# attack: take all memory
# kind: program
# expect: memory
# limits: wall_seconds=60
blocks = []
while True:
    blocks.append(bytearray(16 << 20))
