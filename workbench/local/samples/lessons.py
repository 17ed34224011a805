"""Sample datasets of single questions and answers, and of plain text: Alpaca, CSV, prompt + completion, text."""

from __future__ import annotations

from random import Random

from workbench.local.samples.made import TEST, TRAIN, Made, Row, card, split
from workbench.local.samples.topics import Pair, calendar, facts, stories, units


def unit_conversion(rng: Random) -> Made:
    """Alpaca: instruction, input (mostly empty), output; a train split only."""
    rows: list[Row] = []
    for one in units.every_conversion():
        instruction, given = units.instruct(one, rng)
        rows.append({"instruction": instruction, "input": given, "output": one.sentence})
    rng.shuffle(rows)
    return Made(
        name="unit-conversion-alpaca",
        title="Unit Conversion",
        card=card(
            "Unit Conversion",
            "Lengths, weights, volumes and times converted into neighbouring units, in the three columns that the "
            "Alpaca dataset made popular. All factors are whole, so every answer is exact.",
            "instruction: Convert 3 kilometres to metres.\ninput:\noutput: 3 kilometres are 3000 metres.",
            {
                "instruction": "what to do",
                "input": "the quantity, where the instruction does not contain it; empty in three rows of four",
                "output": "the answer as a sentence",
            },
            "SFT: `instruction` and `input` together are the prompt, `output` is the completion. Join the two only "
            "where `input` is not empty.",
            "All amounts up to a limit for each pair of units, both ways, shuffled. There is no test split: hold out a "
            "part of the training rows.",
        ),
        popularity=(27340, 71, 6, "2026-01-20T08:00:00.000Z", "2026-05-06T16:20:00.000Z"),
        tables={"train.jsonl": rows},
        configs=({"config_name": "default", "data_files": [{"split": "train", "path": "train.jsonl"}]},),
        tags=("alpaca", "instruction", "units", "sft"),
    )


def animals_and_colours(rng: Random) -> Made:
    """question/response, as CSV."""
    train, test = split(facts.every_fact(), rng, 60)

    def rows(pairs: list[Pair]) -> list[Row]:
        return [{"question": pair.question, "response": pair.answer} for pair in pairs]

    return Made(
        name="animals-and-colours",
        title="Animals and Colours",
        card=card(
            "Animals and Colours",
            "School-book facts: what kind of animal something is, how many legs it has, where it lives, what it eats, "
            "what its young are called; and which colours things and mixed paints have.",
            "question: What is a young goose called?\nresponse: A young goose is called a gosling.",
            {"question": "a question", "response": "its answer, one sentence"},
            "SFT after mapping `question` to the prompt and `response` to the completion.",
            "Facts come from three small tables, each asked in two ways. A fact's two phrasings may lie on both sides "
            "of the split.",
        ),
        popularity=(12904, 45, 3, "2026-02-14T10:30:00.000Z", "2026-04-02T09:00:00.000Z"),
        tables={"train.csv": rows(train), "test.csv": rows(test)},
        configs=(
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "train.csv"}, {"split": "test", "path": "test.csv"}],
            },
        ),
        tags=("facts", "csv", "sft"),
        tasks=("question-answering",),
        licence="cc-by-4.0",
    )


def calendar_questions(rng: Random) -> Made:
    """prompt + completion."""
    train, test = split(calendar.every_question(), rng, 50)

    def rows(pairs: list[Pair]) -> list[Row]:
        return [{"prompt": pair.question, "completion": " " + pair.answer} for pair in pairs]

    return Made(
        name="calendar-and-clock",
        title="Calendar and Clock",
        card=card(
            "Calendar and Clock",
            "Which day comes three days after Friday? How many days does June have? How do you say 19:30? Questions "
            "about days, months and the clock with one right answer each.",
            "prompt: How do you say 19:30?\ncompletion:  19:30 is half past seven.",
            {"prompt": "a question", "completion": "its answer, with the leading space that joins it to the prompt"},
            "SFT as it is: `prompt` and `completion` are the names that TRL looks for.",
            "All questions of five kinds were listed and answered by counting; 50 are held out and occur only in "
            "`test`.",
        ),
        popularity=(19456, 63, 5, "2026-03-01T12:00:00.000Z", "2026-07-21T18:10:00.000Z"),
        tables={TRAIN: rows(train), TEST: rows(test)},
        tags=("calendar", "prompt-completion", "sft"),
        tasks=("text-generation", "question-answering"),
    )


def little_stories(rng: Random) -> Made:
    """text, gated: the demo's user has not accepted its terms."""
    texts = list(dict.fromkeys(stories.story(rng) for _ in range(1600)))[:1500]
    rows = [{"text": text} for text in texts]
    return Made(
        name="little-stories",
        title="Little Stories",
        card=card(
            "Little Stories",
            "Tiny stories of five sentences for plain language modelling: two friends go somewhere, find something, "
            "and go home. **Gated**: its terms must be accepted first, which the demo's account has not done – so this "
            "is what a gated dataset looks like from outside.",
            "text: On a windy morning, Mia and Ben went to the harbour. Under a bench they saw an old map. …",
            {"text": "one story"},
            "Continued pre-training on plain text.",
            "Sentences were drawn from templates. 1,400 to train on, 100 held out.",
        ),
        popularity=(8122, 57, 2, "2026-04-19T19:00:00.000Z", "2026-06-30T20:15:00.000Z"),
        tables={TRAIN: rows[:1400], TEST: rows[1400:]},
        tags=("stories", "pretraining"),
        licence="cc-by-nc-4.0",
        gated="auto",
    )
