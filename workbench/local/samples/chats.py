"""Sample datasets of conversations: messages, ShareGPT turns, tool calls, and a dirty dump."""

from __future__ import annotations

from random import Random

from workbench.local.samples.made import TEST, TRAIN, Made, Row, card, said
from workbench.local.samples.topics import arithmetic, dialogues, tools
from workbench.local.samples.topics import support as support_topic


def sums_in_words(rng: Random) -> Made:
    """messages: one to three sums a conversation."""
    sums = arithmetic.every_sum()
    conversations = []
    for _ in range(2200):
        turns: list[dict[str, str]] = []
        for one in rng.sample(sums, rng.choice((1, 1, 1, 2, 3))):
            pair = arithmetic.ask(one, rng)
            turns += [said("user", pair.question), said("assistant", pair.answer)]
        conversations.append({"messages": turns})
    train, test = conversations[:2000], conversations[2000:]
    about = (
        "Conversations about sums, with all numbers spelled out: addition and subtraction within twenty, and the times "
        "tables up to ten. Most have one question, some go on for two or three."
    )
    return Made(
        name="sums-in-words",
        title="Sums in Words",
        card=card(
            "Sums in Words",
            about,
            "user: What is seven plus five?\nassistant: Seven plus five is twelve.",
            {"messages": "list of turns with `role` (user, assistant) and `content`"},
            "Supervised fine-tuning (SFT) as it is: the `messages` column needs no mapping.",
            "Every sum was computed, then spelled out. 2,000 conversations to train on and 200 held out; the same sum "
            "may occur in both, inside different conversations.",
        ),
        popularity=(48210, 132, 14, "2026-02-03T09:12:00.000Z", "2026-09-18T07:30:00.000Z"),
        tables={TRAIN: train, TEST: test},
        tags=("chat", "arithmetic", "sft"),
        tasks=("text-generation", "question-answering"),
    )


def cafe_and_station(rng: Random) -> Made:
    """ShareGPT: two configs, splits train_sft and test_sft, a system turn in some conversations."""
    tables: dict[str, list[Row]] = {}
    configs = []
    for config, make, system in (
        ("cafe", dialogues.cafe, dialogues.CAFE_SYSTEM),
        ("station", dialogues.station, dialogues.STATION_SYSTEM),
    ):
        rows = []
        for number in range(660):
            turns = [{"from": {"user": "human"}.get(role, "gpt"), "value": text} for role, text in make(rng)]
            if rng.random() < 0.5:
                turns.insert(0, {"from": "system", "value": system})
            rows.append({"id": f"{config}-{number:04d}", "conversations": turns})
        files = []
        for name, part in (("train_sft", rows[:600]), ("test_sft", rows[600:])):
            path = f"{config}/{name}-00000-of-00001.parquet"
            tables[path] = part
            files.append({"split": name, "path": f"{config}/{name}-*"})
        configs.append({"config_name": config, "data_files": files})
    return Made(
        name="cafe-and-station-dialogues",
        title="Café and Station Dialogues",
        card=card(
            "Café and Station Dialogues",
            "Two kinds of short everyday dialogues, as two configs: ordering at a café (`cafe`) and asking at a "
            "railway information desk (`station`). Bills add up and arrival times are right.",
            "system: You serve at a small café. Be friendly and say the price of each order.\n"
            "human: Good morning! Could I have a scone, please?\n"
            "gpt: Good morning! A scone is 3 euros. Anything else?",
            {
                "id": "a name for the conversation",
                "conversations": "ShareGPT turns: `from` (system, human, gpt) and `value`; half have a system turn",
            },
            "SFT after mapping `from`/`value` to `role`/`content`. Mind the split names: `train_sft` and `test_sft`, "
            "and choose a config – there is no default one.",
            "Dialogues were drawn from a menu with prices and a table of trains. 600 to train on and 60 held out in "
            "each config.",
        ),
        popularity=(31877, 88, 9, "2026-03-11T15:02:00.000Z", "2026-08-29T11:45:00.000Z"),
        tables=tables,
        configs=configs,
        tags=("chat", "sharegpt", "multi-turn", "sft"),
        licence="apache-2.0",
    )


def small_tool_calls(rng: Random) -> Made:
    """messages with tool_calls, and a tools column."""
    rows = [tools.conversation(rng) for _ in range(700)]
    return Made(
        name="small-tool-calls",
        title="Small Tool Calls",
        card=card(
            "Small Tool Calls",
            "Someone asks, the assistant calls a tool, the tool answers, the assistant says it in words. Four tools: "
            "`convert_units`, `get_weather`, `add_numbers`, `set_timer`. A few conversations need none.",
            "user: How many metres are in 3 kilometres?\n"
            'assistant → convert_units({"value": 3, "from_unit": "kilometre", "to_unit": "metre"})\n'
            'tool: {"value": 3000, "unit": "metre"}\nassistant: 3 kilometres are 3000 metres.',
            {
                "messages": "turns; an assistant turn may carry `tool_calls`, a `tool` turn carries the result",
                "tools": "JSON-schema descriptions of the tools on offer in this conversation",
            },
            "SFT of tool use with a model whose chat template knows tools (here: the Qwen3-like one).",
            "Conversations were drawn from templates; conversions and sums are computed, the weather is made up.",
        ),
        popularity=(17765, 110, 13, "2026-07-01T09:30:00.000Z", "2026-10-11T15:55:00.000Z"),
        tables={"train.jsonl": rows[:640], "test.jsonl": rows[640:]},
        tags=("tool-use", "function-calling", "chat", "sft"),
        licence="apache-2.0",
    )


def support_dump(rng: Random) -> Made:
    """messages, dirty on purpose; one line is no JSON."""
    content, planted = support_topic.dump(rng)
    flaws = "\n".join(f"| {flaw} | {count} |" for flaw, count in planted.items())
    text = card(
        "Support Dump, Dirty",
        "A raw export of customer tickets with the flaws that raw exports have. **It does not load as it is, on "
        f"purpose**: line {support_topic.BROKEN_LINE} of `tickets.jsonl` breaks off in the middle of a string.",
        "user: I want to cancel order 1042, the scone.\nassistant: Order 1042 is cancelled. You get 3 euros back.",
        {"ticket": "a running number", "messages": "turns with `role` and `content`; `content` may be null"},
        "Seeing what a check of the data finds before money is spent. Clean it first; about three "
        "rows of four are fine.",
        f"A clean export was generated, then spoiled:\n\n| flaw | rows |\n|---|---|\n{flaws}\n| broken line | 1 |\n\n"
        "The one thing that looks like an access token is not one.",
    )
    return Made(
        name="support-dump-dirty",
        title="Support Dump, Dirty",
        card=text,
        popularity=(731, 4, 0, "2026-08-08T22:10:00.000Z", "2026-08-08T22:14:00.000Z"),
        raw_files={"tickets.jsonl": content},
        raw_rows=support_topic.ROWS,
        tags=("chat", "dirty", "needs-cleaning"),
        licence="unknown",
    )
