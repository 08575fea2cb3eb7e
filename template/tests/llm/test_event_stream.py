import pytest

from app.llm.event_stream import LONGEST_LINE, EventStream, LineTooLong

STREAM = (
    'data: {"a": "häß🙂"}\n\n: keep-alive\n\nevent: x\nid: 1\ndata:{"b": 2}\n\ndata: [DONE]\n\n'
)
DATA = ['{"a": "häß🙂"}', '{"b": 2}', "[DONE]"]


def read(*chunks: bytes) -> list[str]:
    stream = EventStream()
    found = [data for chunk in chunks for data in stream.feed(chunk)]
    return [data.decode() for data in found + stream.end()]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_stream_reads_the_same_however_it_is_cut(line_end):
    whole = STREAM.replace("\n", line_end).encode()
    for cut in range(len(whole) + 1):
        assert read(whole[:cut], whole[cut:]) == DATA
    assert read(*(bytes([byte]) for byte in whole)) == DATA


def test_an_event_of_two_data_lines_is_one():
    assert read(b"data: one\ndata: two\n\n") == ["one\ntwo"]


def test_the_last_event_counts_without_its_empty_line():
    assert read(b"data: [DONE]") == ["[DONE]"]
    assert read(b"data: [DONE]\n") == ["[DONE]"]


def test_a_line_without_an_end_is_refused():
    stream = EventStream()
    assert stream.feed(b"x" * LONGEST_LINE) == []
    with pytest.raises(LineTooLong):
        stream.feed(b"x")
