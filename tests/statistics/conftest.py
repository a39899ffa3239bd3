"""Every simulated rate is shown with its size at the end of the run: a rate that nobody reads guards nothing."""

import pytest

_RATES: list[tuple[str, float, int]] = []


@pytest.fixture
def noted(record_property):
    """Note a simulated rate; returns it."""

    def note(name: str, hits: int, of: int) -> float:
        _RATES.append((name, hits / of, of))
        record_property(name, hits / of)
        return hits / of

    return note


def pytest_terminal_summary(terminalreporter):
    if _RATES:
        terminalreporter.section("simulated rates")
        for name, rate, of in _RATES:
            terminalreporter.write_line(f"{100 * rate:7.2f} %  of {of:6d}  {name}")
