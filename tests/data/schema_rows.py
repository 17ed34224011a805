"""Believable rows for each of the 68 real dataset schemas in `schemas.json`: right types, values like the real ones.

`rows_for(index)` gives the rows of schema `index`. Every builder knows one shape; the table at the end says which
schema has it. Nulls, blank inputs, ties and repeated prompts are in the rows where the real datasets have them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.data.world import Item, document, items, sql, tool

Row = dict[str, Any]
SCHEMAS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "schemas.json").read_text(encoding="utf-8"))
SYSTEM = (
    "You are an AI assistant. Give a detailed answer, so that the user does not need to search elsewhere.",
    "You are a helpful teacher. Explain it like to a five year old.",
    "",
)


def rows_for(index: int, count: int = 40) -> list[Row]:
    """Rows of schema number `index`."""
    rng = Random(1000 + index)
    build = BUILDERS[index]
    return [build(item, rng) for item in items(count, seed=index)]


def said(role: str, content: str) -> Row:
    return {"role": role, "content": content}


def chat(item: Item, *, answer: str | None = None, more: bool = True) -> list[Row]:
    turns = [said("user", item.question), said("assistant", answer if answer is not None else item.answer)]
    if more and item.number % 3 == 0:
        turns = [said("user", "Good morning!"), said("assistant", "Good morning, how can I help?"), *turns]
    return turns


def share(turns: list[Row], names: dict[str, str] | None = None) -> list[Row]:
    names = names or {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": names[turn["role"]], "value": turn["content"]} for turn in turns]


def hexes(rng: Random, size: int = 64) -> str:
    return "".join(rng.choice("0123456789abcdef") for _ in range(size))


def transcript(item: Item, answer: str) -> str:
    return f"\n\nHuman: Hello there\n\nAssistant: Hi! What is it?\n\nHuman: {item.question}\n\nAssistant: {answer}"


def chatml(turns: list[Row]) -> str:
    return "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns)


def both(item: Item) -> Row:
    return {"chosen": chat(item), "rejected": chat(item, answer=item.worse)}


def scores(rng: Random) -> Row:
    low = rng.randint(2, 14) / 2
    return {"score_chosen": low + rng.randint(1, 4) / 2, "score_rejected": low}


def _sharegpt(item: Item, rng: Random) -> Row:
    system = [said("system", SYSTEM[item.number % 2])] if item.number % 2 else []
    return {"conversations": share([*system, *chat(item)])}


def _messages(item: Item, rng: Random) -> Row:
    return {"messages": chat(item)}


def _ultrachat_share(item: Item, rng: Random) -> Row:
    return {"prompt": item.question, "prompt_id": hexes(rng), "conversations": share(chat(item, more=False))}


def _open_thoughts(item: Item, rng: Random) -> Row:
    system = "Your role as an assistant involves exploring questions through a long thinking process."
    answer = f"<|begin_of_thought|>{item.thought}<|end_of_thought|>{item.answer}"
    return {
        "system": system,
        "conversations": share(chat(item, answer=answer), {"user": "user", "assistant": "assistant"}),
    }


def _ultrachat(item: Item, rng: Random) -> Row:
    return {"prompt": item.question, "prompt_id": hexes(rng), "messages": chat(item, more=False)}


def _messages_source(item: Item, rng: Random) -> Row:
    return {"messages": chat(item), "source": "OpenThoughts3"}


def _chatml_copy(item: Item, rng: Random) -> Row:
    return {"text": chatml(chat(item)), "messages": chat(item), "language": rng.choice(("en", "es", "de"))}


def _index_messages(item: Item, rng: Random) -> Row:
    return {"index": item.number, "messages": [said("system", "You are a helpful assistant."), *chat(item)]}


def _smoltalk_kwargs(item: Item, rng: Random) -> Row:
    kwargs = {"custom_instructions": "", "enable_thinking": True, "python_tools": [], "xml_tools": []}
    answer = f"<think>\n{item.thought}\n</think>\n{item.answer}"
    return {"messages": chat(item, answer=answer), "chat_template_kwargs": kwargs, "source": "smoltalk_everyday"}


def _smoltalk_gpt2(item: Item, rng: Random) -> Row:
    ids = [rng.randint(0, 50256) for _ in range(30)]
    mask = [0] * 12 + [1] * 18
    return {"messages": chat(item), "text": chatml(chat(item)), "token_ids": ids, "loss_mask": mask}


def _thinking(item: Item, rng: Random) -> Row:
    turns = [said("system", f"reasoning language: {rng.choice(('German', 'French', 'Spanish'))}"), *chat(item)]
    return {"messages": [{**t, "thinking": item.thought if t["role"] == "assistant" else None} for t in turns]}


def _index_share(item: Item, rng: Random) -> Row:
    return {"index": item.number, "conversations": share(chat(item))}


def _document(name: str) -> Callable[[Item, Random], Row]:
    return lambda item, rng: {name: document(rng, item.number)}


def _guanaco(item: Item, rng: Random) -> Row:
    return {"text": f"### Human: {item.question}### Assistant: {item.answer}"}


def _xlam(item: Item, rng: Random) -> Row:
    schema, call = tool(rng)
    query = f"What is the weather in {call['arguments']['city']} on day {item.number}?"  # type: ignore[index]
    return {"query": query, "answers": json.dumps([call]), "tools": json.dumps([schema])}


def _glaive_share(item: Item, rng: Random) -> Row:
    schema, call = tool(rng)
    turns = [
        {"from": "human", "value": f"How is the weather? I ask for day {item.number}."},
        {"from": "function_call", "value": json.dumps(call)},
        {"from": "observation", "value": '{"sky": "clear"}'},
        {"from": "gpt", "value": "The sky is clear."},
    ]
    return {"conversations": turns, "tools": json.dumps([schema])}


def _function_prose(item: Item, rng: Random) -> Row:
    schema, call = tool(rng)
    other = {**schema, "name": "get_time", "description": "The time in a city."}
    turns = [
        {"from": "system", "value": "You are a helpful assistant with access to functions."},
        {"from": "human", "value": f"How is the weather? I ask for day {item.number}."},
        {"from": "gpt", "value": json.dumps(call)},
    ]
    return {"conversations": turns, "function_description": json.dumps(schema, indent=4) + "\n\n" + json.dumps(other)}


def _glaive(item: Item, rng: Random) -> Row:
    schema, call = tool(rng)
    system = f"SYSTEM: You are a helpful assistant with access to these functions. Use them -\n{json.dumps(schema)}"
    dialogue = (
        f"USER: How is the weather? I ask for day {item.number}.\n\n\nASSISTANT: <functioncall> {json.dumps(call)} "
        '<|endoftext|>\n\n\nFUNCTION RESPONSE: {"sky": "clear"}\n\n\nASSISTANT: The sky is clear. <|endoftext|>'
    )
    return {"system": system, "chat": dialogue}


def _oasst(item: Item, rng: Random) -> Row:
    # Rows come thread by thread: a question, then two ranked answers to it.
    place = item.number % 3
    thread = item.number - place

    def uuid(number: int) -> str:
        digits = f"{number + 4096:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    return {
        "message_id": uuid(item.number),
        "parent_id": None if place == 0 else uuid(thread),
        "user_id": uuid(500 + item.number % 5),
        "created_date": f"2023-02-{item.number % 27 + 1:02d}T10:12:{item.number % 60:02d}.123+00:00",
        "text": item.question if place == 0 else item.answer,
        "role": "prompter" if place == 0 else "assistant",
        "lang": rng.choice(("en", "en", "es")),
        "review_count": 3,
        "review_result": True,
        "deleted": False,
        "rank": None if place == 0 else float(place - 1),
        "synthetic": False,
        "model_name": None,
        "detoxify": {"toxicity": rng.random() / 100, "insult": rng.random() / 100},
        "message_tree_id": uuid(thread),
        "tree_state": "ready_for_export",
        "emojis": {"name": ["+1"], "count": [2]},
        "labels": {"name": ["spam", "quality"], "value": [0.0, 0.75], "count": [3, 3]},
    }


def _helpsteer3(item: Item, rng: Random) -> Row:
    first = rng.random() < 0.5
    preference = rng.choice((-3, -2, -1) if first else (0, 1, 2, 3))
    good, bad = item.answer, item.worse
    one, two = (good, bad) if first else (bad, good)
    context = chat(item)[:-1]
    return {"context": context, "response1": one, "response2": two, "overall_preference": preference}


def _hh_vicuna(item: Item, rng: Random) -> Row:
    context = share([said("user", "Hello"), said("assistant", "Hi, what is it?")]) if item.number % 2 else []
    return {
        "chosen": {"from": "gpt", "value": item.answer},
        "rejected": {"from": "gpt", "value": item.worse},
        "source": "hh-rlhf",
        "context": context,
        "instruction": {"from": "human", "value": item.question},
    }


def _intel_distilabel(item: Item, rng: Random) -> Row:
    return {"system": SYSTEM[item.number % 3], "input": item.question, "chosen": item.answer, "rejected": item.worse}


def _math_pref(item: Item, rng: Random) -> Row:
    return {"instruction": item.question, "chosen_response": item.answer, "rejected_response": item.worse}


def _stack(item: Item, rng: Random) -> Row:
    return {
        "qid": 1000 + item.number,
        "question": f"<p>{item.question}</p>",
        "date": f"2012/05/{item.number % 27 + 1:02d}",
        "metadata": ["https://example.org/q/1", "https://example.org"],
        "response_j": f"<p>{item.answer}</p>",
        "response_k": f"<p>{item.worse}</p>",
    }


def _safe(item: Item, rng: Random) -> Row:
    better = rng.randint(0, 1)
    answers = [item.answer, item.worse] if better == 0 else [item.worse, item.answer]
    return {
        "prompt": item.question,
        "response_0": answers[0],
        "response_1": answers[1],
        "is_response_0_safe": rng.random() < 0.7,
        "is_response_1_safe": rng.random() < 0.7,
        "better_response_id": better,
        "safer_response_id": rng.randint(0, 1),
    }


def _emoji(item: Item, rng: Random) -> Row:
    zh = f"好的😀,让我来回答第{item.number}个问题:这件事很有意思,我们一步一步来看。首先要知道它的原因,然后再看例子。"
    return {"question": item.question, "answer_zh": zh, "answer_en": item.answer}


def _shp(item: Item, rng: Random) -> Row:
    first = rng.randint(0, 1)
    answers = (item.answer, item.worse) if first else (item.worse, item.answer)
    history = f"{item.question} I have asked this before and got no good reply. Thank you all!"
    return {"history": history, "human_ref_A": answers[0], "human_ref_B": answers[1], "labels": first}


def _orca(item: Item, rng: Random) -> Row:
    return {"system": SYSTEM[item.number % 3], "question": item.question, "chosen": item.answer, "rejected": item.worse}


def _hh_trl(item: Item, rng: Random) -> Row:
    return {
        "prompt": chat(item)[:-1],
        "chosen": [said("assistant", item.answer)],
        "rejected": [said("assistant", item.worse)],
    }


def _hh(item: Item, rng: Random) -> Row:
    return {"chosen": transcript(item, item.answer), "rejected": transcript(item, item.worse)}


def _rlhflow(item: Item, rng: Random) -> Row:
    pair = both(item)
    return {"rejected_score": None, "chosen": pair["chosen"], "rejected": pair["rejected"], "chosen_score": None}


def _nectar_dpo(item: Item, rng: Random) -> Row:
    pair = both(item)
    info = {"category": "qa", "chosen_model": "m1", "rejected_model": "m2", "turns": 1}
    return {
        "prompt": item.question,
        "prompt_id": hexes(rng),
        **pair,
        "messages": pair["chosen"],
        **scores(rng),
        "other_info": info,
    }


def _orpo(item: Item, rng: Random) -> Row:
    return {"source": item.source, **both(item), "prompt": item.question, "question": item.question}


def _snorkel(item: Item, rng: Random) -> Row:
    return {
        "prompt_id": hexes(rng),
        "prompt": item.question,
        **both(item),
        "all_generated_responses": [item.answer, item.worse, item.short],
        "all_rm_scores": [0.3, 0.1, 0.2],
    }


def _ultrafeedback_bin(item: Item, rng: Random) -> Row:
    pair = {"chosen": chat(item, more=False), "rejected": chat(item, answer=item.worse, more=False)}
    return {
        "prompt": item.question,
        "prompt_id": hexes(rng),
        **pair,
        "messages": pair["chosen"],
        **scores(rng),
    }


def _capybara(item: Item, rng: Random) -> Row:
    return {
        "source": item.source,
        "conversation": [{"input": item.question, "output": item.answer}],
        "original_response": item.answer,
        "generation_prompt": [f"<s>[INST] {item.question} [/INST]"],
        "raw_generation_responses": [item.worse, item.short],
        "new_generations": [item.worse, item.short],
        "prompt": item.question,
        **both(item),
        "rating_chosen": 5,
        "rating_rejected": rng.randint(1, 4),
        "chosen_model": "original",
        "rejected_model": rng.choice(("m7b", "m13b")),
    }


def _tulu_pref(item: Item, rng: Random) -> Row:
    return {"prompt": item.question, **both(item)}


def _nectar(item: Item, rng: Random) -> Row:
    texts = [item.answer, item.thought, item.short, item.worse, f"{item.worse} Sorry.", "I do not know that.", "No."]
    answers = [{"answer": text, "rank": rank} for rank, text in enumerate(texts, 1)]
    return {"prompt": f"\n\nHuman: {item.question}\n\nAssistant: ", "answers": answers}


def _medical(item: Item, rng: Random) -> Row:
    return {"Question": item.question, "Complex_CoT": item.thought, "Response": item.answer}


def _metamath(item: Item, rng: Random) -> Row:
    # Half of the queries are rephrased with other numbers; the response always follows the query.
    other = items(1, seed=item.number + 900)[0] if item.number % 2 else item
    return {
        "type": rng.choice(("MATH_AnsAug", "GSM_Rephrased", "GSM_SV")),
        "query": item.rephrased if item.number % 2 == 0 else item.question,
        "original_question": item.question if item.number % 2 == 0 else other.question,
        "response": f"{item.answer}\nThe answer is: {item.short}",
    }


def _sql_context(item: Item, rng: Random) -> Row:
    question, context, query, _ = sql(rng, item.number)
    return {"question": question, "context": context, "answer": query}


def _platypus(item: Item, rng: Random) -> Row:
    return {"input": "", "output": item.answer, "instruction": item.question, "data_source": "MATH/PRM-800K"}


def _gretel(item: Item, rng: Random) -> Row:
    question, context, query, explanation = sql(rng, item.number)
    return {"sql_prompt": question, "sql_context": context, "sql": query, "sql_explanation": explanation}


def _adgen(item: Item, rng: Random) -> Row:
    kind, colour = rng.choice(("上衣", "裤", "裙")), rng.choice(("白色", "黑色", "红色"))
    content = f"类型#{kind}*版型#宽松*颜色#{colour}*风格#简约*图案#条纹{item.number}"
    summary = (
        f"这款{colour}的{kind}采用宽松的版型设计,穿着舒适,简约的风格不挑人。经典的条纹图案让整体看起来更有层次感,"
        f"无论是上班还是出游都很合适,第{item.number}款尤其受欢迎。"
    )
    return {"content": content, "summary": summary}


def _mmlu(item: Item, rng: Random) -> Row:
    choices = [item.short, "none of these", "all of these", "it depends"]
    right = rng.randint(0, 3)
    choices[0], choices[right] = choices[right], choices[0]
    return {"question": item.question, "subject": rng.choice(("", "physics")), "choices": choices, "answer": right}


def _two(prompt: str, completion: str) -> Callable[[Item, Random], Row]:
    return lambda item, rng: {prompt: item.question, completion: item.answer}


def _firefly(item: Item, rng: Random) -> Row:
    return {
        "input": f"请用简单的话解释第{item.number}个问题:为什么会下雨?",
        "target": f"因为水汽遇冷凝结成小水滴,变重以后就落下来。{item.number}",
    }


def _blossom(item: Item, rng: Random) -> Row:
    return {"query": item.question, "output": item.answer, "answer": item.short}


def _tldr(item: Item, rng: Random) -> Row:
    post = f"SUBREDDIT: r/advice\n\nTITLE: {item.question}\n\nPOST: {document(rng, item.number)}\n\nTL;DR:"
    return {"prompt": post, "completion": f" {item.short} and what to do about it."}


def _alpaca(item: Item, rng: Random) -> Row:
    given = f"The note says: {item.thought}" if item.number % 3 == 0 else ""
    return {"instruction": item.question, "input": given, "output": item.answer}


def _cosmopedia(item: Item, rng: Random) -> Row:
    text = document(rng, item.number)
    prompt = f'Here is an extract from a webpage: "{text[:150]}". Write an extensive and detailed textbook unit on it.'
    return {"prompt": prompt, "text": f"# Unit {item.number}\n\n{text}\n\n{item.answer}"}


def _gsm8k(item: Item, rng: Random) -> Row:
    return {"question": item.question, "answer": f"{item.answer}\n#### {item.short}"}


def _helpsteer2(item: Item, rng: Random) -> Row:
    # Two rows a prompt, one after the other.
    first = items(item.number + 1, seed=57)[item.number - item.number % 2]
    good = item.number % 2 == 0
    text = first.answer if good else first.worse
    return {"prompt": first.question, "response": text, "helpfulness": rng.randint(3, 4) if good else rng.randint(0, 2)}


def _deepmath(item: Item, rng: Random) -> Row:
    return {"question": item.question, "final_answer": item.short}


def _prompt_only(item: Item, rng: Random) -> Row:
    return {"prompt": [said("user", item.question)]}


def _shepherd(item: Item, rng: Random) -> Row:
    steps = [f"Step {n}: {part}." for n, part in enumerate(item.thought.split(". ")[:4], 1)]
    good = rng.random() < 0.5
    return {"prompt": item.question, "completions": steps, "labels": [good or n == 0 for n in range(len(steps))]}


def _ultrafeedback(item: Item, rng: Random) -> Row:
    def answer(text: str) -> Row:
        rating = {"Rating": str(rng.randint(1, 5)), "Rationale": "It follows the question closely."}
        return {
            "annotations": {"helpfulness": rating, "honesty": rating},
            "custom_system_prompt": "You are helpful.",
            "model": rng.choice(("a-7b", "b-13b")),
            "overall_score": rng.randint(10, 100) / 10,
            "fine-grained_score": rng.randint(1, 5) * 1.0,
            "response": text,
        }

    return {
        "source": item.source,
        "instruction": item.question,
        "models": ["a-7b", "b-13b", "c-70b", "d-7b"],
        "completions": [answer(text) for text in (item.answer, item.worse, item.thought, item.short)],
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }


def _kto(item: Item, rng: Random) -> Row:
    good = rng.random() < 0.5
    return {"prompt": item.question, "completion": item.answer if good else item.worse, "label": good}


def _kto_mix(item: Item, rng: Random) -> Row:
    good = rng.random() < 0.5
    return {"completion": chat(item, answer=item.answer if good else item.worse), "label": good}


def picture() -> Row:
    return {"bytes": None, "path": "image.png", "size": 9000}


def _llava(item: Item, rng: Random) -> Row:
    turns = chat(item, more=False)
    turns[0]["content"] = f"<image>{turns[0]['content']}"
    return {"messages": turns, "images": [picture()]}


def _llava_repr(item: Item, rng: Random) -> Row:
    turns = share(chat(item, more=False))
    turns[0]["value"] = f"<image>\n{turns[0]['value']}"
    return {"conversations": repr(turns), "image": picture()}


def _rlaif(item: Item, rng: Random) -> Row:
    return {"image": picture(), "question": item.question, "chosen": item.answer, "rejected": item.worse}


def _llava_trl(item: Item, rng: Random) -> Row:
    turns = chat(item, more=False)
    return {"images": [picture()], "prompt": turns[:1], "completion": turns[1:]}


# In the order of schemas.json.
BUILDERS: tuple[Callable[[Item, Random], Row], ...] = (
    _sharegpt,
    _messages,
    _sharegpt,
    _ultrachat_share,
    _open_thoughts,
    _ultrachat,
    _messages_source,
    _chatml_copy,
    _index_messages,
    _messages,
    _smoltalk_kwargs,
    _smoltalk_gpt2,
    _thinking,
    _index_share,
    _document("text"),
    _document("content"),
    _document("raw_content"),
    _guanaco,
    _xlam,
    _glaive_share,
    _function_prose,
    _glaive,
    _oasst,
    _helpsteer3,
    _hh_vicuna,
    _intel_distilabel,
    _math_pref,
    _stack,
    _safe,
    _emoji,
    _shp,
    _orca,
    _hh_trl,
    _hh,
    _rlhflow,
    _nectar_dpo,
    _orpo,
    _snorkel,
    _ultrafeedback_bin,
    _capybara,
    _tulu_pref,
    _nectar,
    _medical,
    _metamath,
    _sql_context,
    _platypus,
    _gretel,
    _adgen,
    _mmlu,
    _two("question", "answer"),
    _firefly,
    _blossom,
    _two("instruction", "response"),
    _tldr,
    _alpaca,
    _cosmopedia,
    _gsm8k,
    _helpsteer2,
    _deepmath,
    _prompt_only,
    _shepherd,
    _ultrafeedback,
    _kto,
    _kto_mix,
    _llava,
    _llava_repr,
    _rlaif,
    _llava_trl,
)
