"""The counting of checks and the records that both Python clients send."""
import os
import sys
import time
import traceback

RUN = os.urandom(4).hex()
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
COUNT = 300
BASE_TIME = int(time.time() * 1000) - 3_600_000


class Checks:
    def __init__(self, client):
        self.client, self.passed, self.failed, self.start = client, 0, 0, time.time()

    def check(self, what, action, *args):
        begin = time.time()
        try:
            answer = action(*args)
        except Exception as error:  # every failure is reported, none ends the run
            self.failed += 1
            print(f"FAIL {what}: {type(error).__name__}: {error}", flush=True)
            if os.environ.get("TRACE"):
                traceback.print_exc()
            return None
        self.passed += 1
        print(f"ok   {what} ({time.time() - begin:.1f} s)", flush=True)
        return True if answer is None else answer

    def finish(self):
        print(f"# {self.client}: {time.time() - self.start:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)


def topic(name):
    return f"check-{RUN}-{name}"


def record(index):
    """Record `index` of every run: some keys, values and headers are null or empty."""
    key = None if index % 7 == 0 else f"key-{index % 11}".encode()
    value = None if index % 7 == 3 else f"value-{index}-".encode() + b"x" * (index % 50)
    headers = [("index", str(index).encode()), ("empty", b""), ("index", b"again")]
    return key, value, headers, BASE_TIME + index


def until(what, question, seconds=15):
    """Asks until the answer is true; for what the broker promises only soon."""
    end = time.time() + seconds
    while time.time() < end:
        if question():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def same(got, wanted, what=""):
    assert got == wanted, f"{what} got {got!r}, wanted {wanted!r}"
