"""Programs that run inside the sandbox. Their source text is handed to the sandbox's interpreter
(Python >= 3.8), which may neither see this package nor be the interpreter that runs it; they use
the standard library alone.
"""
