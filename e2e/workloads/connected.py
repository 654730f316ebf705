"""Stay connected with one result held and nothing to do: it prints `ready`, and ends when a line is read."""

import sys

from session import report, session


def main():
    with session() as client:
        held = client.submit(bytes, 1000)
        held.result()
        print("ready", flush=True)
        sys.stdin.readline()
    report("connected")


if __name__ == "__main__":
    main()
