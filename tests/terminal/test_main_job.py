"""The whole path by keys, in a real terminal, with a real training: pick, inspect, plan, submit, watch, COMPLETED."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.driver import BIN, Terminal
from workbench.local.serve import LocalServer, ensure_server, stop_server

pytestmark = pytest.mark.terminal


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    yield folder
    stop_server(folder)


@pytest.fixture
def terminal(demo_folder: Path) -> Iterator[Terminal]:
    opened = Terminal([str(BIN / "workbench"), "demo", "--folder", str(demo_folder)])
    yield opened
    opened.kill()


def losses(text: str) -> list[float]:
    """The losses that the log pane shows, in order."""
    return [float(found) for found in re.findall(r"step \d+/\d+\s+loss (\d+\.?\d*)", text)]


@pytest.mark.training
def test_from_start_to_completed_by_keys_alone(terminal: Terminal, demo_folder: Path) -> None:
    # A model.
    terminal.wait_for("sample-lab/tiny-llama-2M", timeout=120)
    terminal.press("/")
    terminal.press(*"llama")
    terminal.wait_for(lambda text: "tiny-qwen3" not in text)
    terminal.press("enter")
    terminal.wait_for("LlamaForCausalLM")
    terminal.press("enter")

    # A dataset, and how its columns map.
    terminal.wait_for("sample-lab/sums-in-words")
    terminal.press("/")
    terminal.press(*"sums")
    terminal.wait_for(lambda text: "small-tool-calls" not in text)
    terminal.press("enter")
    text = terminal.wait_for("→ messages", timeout=60)
    assert "SFT READY" in text
    terminal.wait_for(lambda text: re.search(r"row 0 +\d+ trained · \d+ context", text) is not None, timeout=60)
    terminal.press("enter")

    # The plan: cost beside the choices, redrawn as they change.
    terminal.wait_for("numbers: fitted", timeout=60)
    text = terminal.wait_for("push target")
    assert re.search(r"● cpu-basic +CPU +fits", text)
    assert re.search(r"rank +16", text)
    terminal.press("right")
    terminal.wait_for(lambda text: re.search(r"rank +32", text) is not None)
    terminal.press("u")
    terminal.wait_for(lambda text: re.search(r"rank +16", text) is not None)
    terminal.press(*["down"] * 10)
    while (steps := re.search(r"max steps +(\d+)", terminal.text)) and int(steps[1]) > 40:
        terminal.press("left")
        terminal.wait_for(lambda text, now=steps[1]: re.search(rf"max steps +{now}\b", text) is None)
    assert steps and steps[1] == "40"
    terminal.press("s")
    terminal.wait_for("Submit this run?")
    text = terminal.wait_for("this demo bills nothing")
    assert re.search(r"at most \$\d", text)
    terminal.press("y")

    # The watch: a falling loss beside its log, until it is done.
    terminal.wait_for("step 8/40", timeout=180)
    early = losses(terminal.text)
    text = terminal.wait_for("COMPLETED", timeout=240)
    terminal.settle()
    late = losses(terminal.text)
    assert len(early) >= 3
    assert len(late) >= 3
    assert sum(late[-3:]) / 3 < 0.7 * sum(early[:3]) / 3, (early, late)
    text = terminal.wait_for("the adapter is at demo/tiny-llama-2M-sums-in-words-lora")
    assert any("\u2801" <= character <= "\u28ff" for character in text), "no curve was drawn"

    # It is there, and the ledger has it too.
    terminal.press("escape")
    terminal.settle()  # escape and a digit together would be one key: alt and the digit
    terminal.press("5")
    terminal.wait_for("adapter at demo/")
    terminal.press("q")
    assert terminal.end() == 0
    server = ensure_server(demo_folder, hub=True)
    assert pushed_files(server) >= {"adapter_config.json", "adapter_model.safetensors", "README.md"}


def pushed_files(server: LocalServer) -> set[str]:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.url, token=server.token)
    return set(api.list_repo_files("demo/tiny-llama-2M-sums-in-words-lora"))


def test_a_terminal_too_small_is_told_and_forgiven(terminal: Terminal) -> None:
    terminal.wait_for("sample-lab/tiny-llama-2M", timeout=120)
    terminal.resize(40, 10)
    text = terminal.wait_for("needs a terminal of")
    assert "40×10" in text
    terminal.resize(120, 40)
    terminal.wait_for("sample-lab/tiny-llama-2M")
    assert "needs a terminal of" not in terminal.settle()


def test_idle_costs_not_a_byte(terminal: Terminal) -> None:
    terminal.wait_for("sample-lab/tiny-llama-2M", timeout=120)
    terminal.settle(1.5, most=20)
    assert terminal.read_for(3.0) == 0


def test_ctrl_c_leaves_and_restores_the_terminal(terminal: Terminal) -> None:
    terminal.wait_for("sample-lab/tiny-llama-2M", timeout=120)
    terminal.press("ctrl+c")
    assert terminal.end() == 0
    assert b"\x1b[?1049l" in terminal.received
    assert b"\x1b[?25h" in terminal.received


def test_without_utf8_everything_is_drawn_in_ascii(demo_folder: Path) -> None:
    env = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    terminal = Terminal([str(BIN / "workbench"), "demo", "--folder", str(demo_folder)], env=env)
    try:
        terminal.wait_for("sample-lab/tiny-llama-2M", timeout=120)
        terminal.wait_for("does not speak UTF-8")
        terminal.press("3")
        terminal.wait_for("pick a dataset")
        assert bytes(terminal.received).isascii()
        assert "?" * 4 not in terminal.text
    finally:
        terminal.kill()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_move_its_cursor_gets_a_sentence(demo_folder: Path, term: str) -> None:
    terminal = Terminal([str(BIN / "workbench"), "demo", "--folder", str(demo_folder)], env={"TERM": term})
    try:
        assert terminal.end(60) == 1
        assert "Set TERM" in terminal.text
        assert "Traceback" not in terminal.text
    finally:
        terminal.kill()
