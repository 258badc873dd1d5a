"""Coverage-guided fuzzing of everything that reads what a peer sent: ``python -m fuzz TARGET --seconds N``.

Each target is one file of :mod:`fuzz.targets`: a function from bytes to nothing that raises when something is wrong.
The guide is atheris when it is installed (``pip install pystack-rtc[fuzz]``), else a plain loop of our own.
``docs/how-to/fuzz.md`` is the manual. Nothing is imported here, so that atheris sees every import of the stack.
"""
