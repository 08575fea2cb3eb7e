"""The learned detector of injections: a small language model that scores a text, window by window.

The weights come in the package stackone-defender (dependency group `guards`); of its code nothing
is used. It works in threads of its own, which leave the event loop alone.
"""

import asyncio
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

MODEL = Path("models") / "minilm-multihead-v5"
TEMPERATURE = 2.41
"""What turns the model's number into a probability; its makers fitted it to this model."""
# Other threads would spin while they wait and take the cores from the event loop.
THREADS_OF_ONE_TEXT = 1
VIEW = "/Div_output_0"
"""Where the model has its view of the whole text, which it decides by."""

T = TypeVar("T")


class DetectorMissing(RuntimeError):
    """The setting asks for the detector and its package is not installed."""


# It takes three times as long over what it does as the two steps that it is made of.
SLOW = ["SkipLayerNormFusion"]


class Part(NamedTuple):
    """A window of a text, not looked at yet."""

    text: str
    ids: Sequence[int]


class Window(NamedTuple):
    text: str
    score: float
    vector: Sequence[float]
    """What the detector makes of the window, before it decides: its numbers and its view of it."""


class Detector(Protocol):
    def parts(self, text: str, *, tokens: int, step: int) -> Iterator[Part]:
        """Windows of so many tokens, one beginning `step` tokens after another."""
        ...

    def look(self, part: Part) -> Window:
        """What costs: 2 ms for a short question, 30 for the longest window."""
        ...


def is_installed() -> bool:
    return all(find_spec(name) for name in ("onnxruntime", "tokenizers", "stackone_defender"))


@cache
def detector() -> Detector:
    """Takes a third of a second the first time, and 100 MB; raises `DetectorMissing`."""
    spec = find_spec("stackone_defender") if is_installed() else None
    if spec is None or not spec.submodule_search_locations:
        raise DetectorMissing("The learned detector needs `uv sync --group guards`.")
    return _OnnxDetector(Path(next(iter(spec.submodule_search_locations))) / MODEL)


def is_loaded() -> bool:
    return detector.cache_info().currsize > 0


async def in_thread(work: Callable[[], T], seconds: float) -> T:
    """Run it beside the event loop; raises TimeoutError when it took too long, waiting included."""
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().run_in_executor(_threads(), work)


@cache
def _threads() -> ThreadPoolExecutor:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    return ThreadPoolExecutor(cores, "detector")


class _OnnxDetector:
    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._around = [self._tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS_OF_ONE_TEXT
        # The arena keeps what the longest text took for ever.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            (folder / "model_quantized.onnx").read_bytes() + _output(VIEW),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=SLOW,
        )

    def parts(self, text: str, *, tokens: int, step: int) -> Iterator[Part]:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        ids, places = encoded.ids, encoded.offsets
        for start in range(0, max(1, len(ids) - (tokens - step)), step):
            part = ids[start : start + tokens]
            if part:
                end = places[start + len(part) - 1][1]
                yield Part(text[places[start][0] : end], part)

    def look(self, part: Part) -> Window:
        import numpy

        first, last = self._around
        row: Any = numpy.array([[first, *part.ids, last]], dtype=numpy.int64)
        numbers, view = self._session.run(
            ["logits", VIEW], {"input_ids": row, "attention_mask": row * 0 + 1}
        )
        score = 1 / (1 + math.exp(-float(numbers[0][0]) / TEMPERATURE))
        return Window(part.text, score, [*numbers[0].tolist(), *view[0].tolist()])


def _output(name: str) -> bytes:
    """A model of this output alone: behind another model's bytes it is merged into that one."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    of_model, of_graph, of_value = 7, 12, 1
    return field(of_model, field(of_graph, field(of_value, name.encode())))
