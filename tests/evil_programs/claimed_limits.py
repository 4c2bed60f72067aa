# attack: end with words that an interpreter says about memory and disk, so that the verdict blames a limit
# kind: program
# expect: crashed
raise ValueError("MemoryError: java.lang.OutOfMemoryError: No space left on device")
