"""The twelve sample datasets by the functions that make them, in the order of their downloads."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from workbench.local.samples.chats import cafe_and_station, small_tool_calls, sums_in_words, support_dump
from workbench.local.samples.judged import better_replies, better_replies_scored, clock_thumbs, word_problems
from workbench.local.samples.lessons import animals_and_colours, calendar_questions, little_stories, unit_conversion
from workbench.local.samples.made import Made

ALL: tuple[Callable[[Random], Made], ...] = (
    sums_in_words,
    cafe_and_station,
    unit_conversion,
    word_problems,
    calendar_questions,
    small_tool_calls,
    better_replies,
    animals_and_colours,
    better_replies_scored,
    little_stories,
    clock_thumbs,
    support_dump,
)
