from tests.llm.conftest import caller, wire_server

__all__ = ["caller", "wire_server"]
