"""What the Python clients share: each feature is a function that asserts, and is told on a line of its own."""

import faulthandler
import sys
import time
import traceback

bootstrap = sys.argv[1]
failed = []


def feature(client, name):
    """Runs the function at once and says PASSED or FAILED."""

    def run(function):
        faulthandler.dump_traceback_later(60, exit=True)
        start = time.time()
        try:
            function()
            print(f"PASSED  {client}: {name} ({time.time() - start:.1f} s)", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever a client throws is its verdict
            failed.append(name)
            said = str(error).replace("\n", " ")[:500]
            print(f"FAILED  {client}: {name}: {type(error).__name__} {said} ({traceback.extract_tb(error.__traceback__)[-1].line})", flush=True)
        faulthandler.cancel_dump_traceback_later()
        return function

    return run


def same(what, got, wanted):
    assert got == wanted, f"{what} is {got!r} and not {wanted!r}"


def raises(what, kind, code, action):
    """The action must end with this error; `code` takes the exception and gives what is compared."""
    try:
        action()
    except kind as error:
        same(what, code(error), True)
        return
    raise AssertionError(f"{what}: no error")


def finish():
    sys.exit(1 if failed else 0)
