"""Sample datasets with a judgement: preferences in two shapes, thumbs, and answers that a program can check."""

from __future__ import annotations

from random import Random

from workbench.local.samples.made import TEST, TRAIN, Made, Row, card, said
from workbench.local.samples.topics import arithmetic, calendar, manners


def better_replies(rng: Random) -> Made:
    """Preference with an explicit prompt: three strings."""
    rows = [{"prompt": one.request, "chosen": one.better, "rejected": one.worse} for one in manners.choices(rng, 1100)]
    return Made(
        name="better-replies",
        title="Better Replies",
        card=card(
            "Better Replies",
            "A request with two replies, one plainly better: polite against rude, or right against wrong.",
            "prompt: Could you close the gate?\nchosen: Gladly. The gate is closed.\nrejected: Do it yourself.",
            {"prompt": "the request", "chosen": "the better reply", "rejected": "the worse one"},
            "DPO as it is, and reward models. For SFT use `prompt` and `chosen`.",
            "Favours and sums were drawn at random with a good and a bad reply each.",
        ),
        popularity=(15230, 49, 7, "2026-05-02T07:45:00.000Z", "2026-09-01T13:00:00.000Z"),
        tables={TRAIN: rows[:1000], TEST: rows[1000:]},
        tags=("preference", "dpo", "reward"),
    )


def better_replies_scored(rng: Random) -> Made:
    """Preference with an implicit prompt: two chats that share their user turn, and scores."""
    rows: list[Row] = []
    for one in manners.choices(rng, 880):
        user = said("user", one.request)
        rows.append(
            {
                "chosen": [user, said("assistant", one.better)],
                "rejected": [user, said("assistant", one.worse)],
                "score_chosen": one.score_better,
                "score_rejected": one.score_worse,
            }
        )
    return Made(
        name="better-replies-scored",
        title="Better Replies, Scored",
        card=card(
            "Better Replies, Scored",
            "Two whole conversations a row that differ only in the last turn, each with a score from 1 to 10. There is "
            "no prompt column: the prompt is what both begin with.",
            "chosen: [user: What is two plus two? | assistant: Two plus two is four.]   9.1\n"
            "rejected: [user: What is two plus two? | assistant: Two plus two is six.]   3.0",
            {
                "chosen": "turns of the better conversation",
                "rejected": "turns of the worse one; its first turn is the same",
                "score_chosen": "1 … 10, always the higher one",
                "score_rejected": "1 … 10",
            },
            "DPO and reward models; the shared first turn is taken as the prompt.",
            "As `better-replies`, with other draws; the scores were drawn too and stand for nothing but their order.",
        ),
        popularity=(9871, 33, 4, "2026-05-20T07:45:00.000Z", "2026-08-12T10:00:00.000Z"),
        tables={TRAIN: rows[:800], TEST: rows[800:]},
        tags=("preference", "dpo", "reward", "implicit-prompt"),
    )


def clock_thumbs(rng: Random) -> Made:
    """KTO: prompt, completion, label."""
    rows: list[Row] = []
    for _ in range(1000):
        question, right, wrong = calendar.later(rng)
        label = rng.random() < 0.6
        rows.append({"prompt": question, "completion": right if label else wrong, "label": label})
    return Made(
        name="clock-thumbs-up-down",
        title="Clock, Thumbs Up or Down",
        card=card(
            "Clock, Thumbs Up or Down",
            "Adding minutes to a time of day; each answer carries a thumbs-up (it is right) or a thumbs-down (it is "
            "not). No row has both.",
            "prompt: It is 14:50. What time is it 20 minutes later?\ncompletion: It is 15:10.\nlabel: true",
            {"prompt": "the question", "completion": "an answer", "label": "true if the answer is right"},
            "KTO, which learns from single answers with a label. About 60 % are true.",
            "Times were added by a program; wrong answers are off by ten minutes to an hour.",
        ),
        popularity=(6044, 21, 2, "2026-06-07T14:00:00.000Z", "2026-06-09T08:25:00.000Z"),
        tables={TRAIN: rows[:900], TEST: rows[900:]},
        tags=("kto", "unpaired-preference", "clock"),
    )


def word_problems(rng: Random) -> Made:
    """Prompt-only with a checkable answer, for GRPO."""
    problems = list({(made := arithmetic.word_problem(rng)).question: made for _ in range(1300)}.values())[:1100]
    rows = [{"question": one.question, "answer": one.answer} for one in problems]
    return Made(
        name="word-problems",
        title="Word Problems",
        card=card(
            "Word Problems",
            "Little story problems with one or two steps. The answer is a bare number, so a program can check what a "
            "model says.",
            "question: Mia has 12 stamps and finds 5 more. How many stamps does Mia have now?\nanswer: 17",
            {"question": "the problem", "answer": "the whole number that solves it"},
            "Reinforcement learning with a checkable reward (GRPO): `question` is the prompt, `answer` the solution.",
            "Five kinds of problems with names, things and numbers drawn at random. No question occurs twice.",
        ),
        popularity=(22618, 96, 11, "2026-04-05T06:00:00.000Z", "2026-10-02T12:40:00.000Z"),
        tables={"train.jsonl": rows[:1000], "test.jsonl": rows[1000:]},
        tags=("grpo", "math", "verifiable"),
        tasks=("question-answering",),
        licence="mit",
    )
