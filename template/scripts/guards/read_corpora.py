"""Read the texts of corpora.toml out of the packages that hold them, as lines of JSON.

Runs in the environment that measure.py makes, where these packages are and the app is not. Nothing
here prints a text to a person: whoever works on the guards must not read the unseen sources.
"""

import json
import random
import sys

import attacks  # noqa: F401 registers its readers
import harmless  # noqa: F401
from packages import READERS


def main() -> None:
    asked = json.loads(sys.stdin.read())
    # What packages print while they load must not mix with the lines.
    out, sys.stdout = sys.stdout, sys.stderr
    for name in asked:
        # Some packages draw their texts; the same ones each time.
        random.seed(80)
        for kind, zone, text in READERS[name]():
            if text.strip():
                row = {"source": name, "kind": kind, "zone": zone, "text": text}
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
