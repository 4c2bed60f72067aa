"""Code search by prompting, in two stages as in the study: a cheap one finds K candidates, the
model scores them.

Stage 1 is BM25, or vectors of texts (the study: those of the prompted model, mean-pooled, dot
product). Its candidates are a file, so that another retriever's can take their place. Stage 2 asks
for a score of each candidate, all in one prompt; the prediction's `output` is the rank of the right
function: 1 … K, 0 where it is not among the candidates, empty where the model gave no answer.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import json_objects, write_atomic
from mtpeft.corpora import Example
from mtpeft.inference.bm25 import Bm25
from mtpeft.inference.prompting import Chat, Question, ask_each
from mtpeft.tasks import Answer, code_search

LONGEST = 20
"""Candidates of one prompt at most (the study's lists)."""
Stage = Callable[[Sequence[str], Sequence[str], int], list[list[int]]]


def pool_of(examples: Sequence[Example]) -> dict[str, str]:
    """Every different function of the set: the id of the first example that has it → its code."""
    return {name: code for code, name in code_search.first_with(examples).items()}


def by_words(queries: Sequence[str], codes: Sequence[str], number: int) -> list[list[int]]:
    """Positions of the nearest codes by BM25, the nearest first."""
    index = Bm25(codes)
    return [index.nearest(query, number)[::-1] for query in queries]


def by_vectors(
    embed: Callable[[Sequence[str]], list[list[float]]],
    queries: Sequence[str],
    codes: Sequence[str],
    number: int,
) -> list[list[int]]:
    """Positions of the codes with the largest dot products, the largest first; the first among
    equals.

    Args:
        embed: Gives one vector a text.
        queries: The descriptions.
        codes: The functions.
        number: How many codes for each query.

    Raises:
        MtpeftError: A vector cannot be compared with the others.
    """
    import numpy as np

    of_codes, of_queries = embed(codes), embed(queries)
    widths = {len(vector) for vector in (*of_codes, *of_queries)}
    if len(widths) > 1 or not all(np.isfinite(v).all() for v in (*of_codes, *of_queries)):
        raise MtpeftError(
            f"vectors of {', '.join(map(str, sorted(widths)))} numbers, or with some that are not finite",
            "finite vectors of one length",
            "another model, or --stage1 bm25",
        )
    vectors = np.array(of_codes)
    # One query at a time: all scores of a large pool would take gigabytes.
    return [
        np.argsort(-(vectors @ query), kind="stable")[:number].tolist()
        for query in np.array(of_queries)
    ]


def stage(name: str, chat: Any) -> Stage:
    """Stage 1 by name.

    Args:
        name: `bm25`, or `embeddings` of the model that is prompted.
        chat: That model.

    Raises:
        UnknownName: There is no such stage.
    """
    if name not in ("bm25", "embeddings"):
        raise UnknownName("first stage", name, ("bm25", "embeddings"))
    return by_words if name == "bm25" else partial(by_vectors, chat.embed)


def candidates(
    examples: Sequence[Example], path: Path, number: int, stage: Stage = by_words
) -> dict[str, list[str]]:
    """The candidates of every query, read from a file where it is there, else found and written to
    it.

    Args:
        examples: The queries, and the functions to choose from.
        path: The file.
        number: How many candidates for each query.
        stage: What finds them.

    Returns:
        Ids of the functions by query, the nearest first.

    Raises:
        MtpeftError: No prompt holds so many.
        BadInput: The file is of other queries, functions or numbers.
    """
    if not 1 <= number <= LONGEST:
        raise MtpeftError(f"{number} candidates", f"1 to {LONGEST}", "--candidates 10")
    pool, asked = pool_of(examples), [e for e in examples if e.target == "1"]
    if not path.is_file():
        names = list(pool)
        found = stage([e.inputs["query"] for e in asked], list(pool.values()), number)
        rows = (
            {"instance_id": e.id, "candidates": [names[i] for i in near]}
            for e, near in zip(asked, found, strict=True)
        )
        write_atomic(path, "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    return read_candidates(path, examples)


def read_candidates(path: Path, examples: Sequence[Example]) -> dict[str, list[str]]:
    """Candidates by query.

    Raises:
        BadInput: A line cannot be used, or a query has none; the error names file and line.
    """
    pool, asked, result = pool_of(examples), {e.id for e in examples if e.target == "1"}, {}
    fix = "remove the file to find candidates again"
    for number, row in json_objects(path, ("instance_id", "candidates"), fix):
        name, near = str(row["instance_id"]), row["candidates"]
        if not isinstance(near, list):
            raise BadInput(
                path, f"candidates are a {type(near).__name__}", "a list of ids", fix, line=number
            )
        near = [str(c) for c in near]
        unknown = [c for c in near if c not in pool]
        if (
            name not in asked
            or unknown
            or len(set(near)) < len(near)
            or not 1 <= len(near) <= LONGEST
        ):
            raise BadInput(
                path,
                f"query {name} with candidates {', '.join((unknown or near)[:3])}",
                f"a query of the set with 1 to {LONGEST} different functions of the set",
                "remove the file to find candidates again",
                line=number,
            )
        result[name] = near
    return result


def rank(
    examples: Sequence[Example],
    near: dict[str, list[str]],
    chat: Chat,
    path: Path,
    run: str,
    evaluation: str = "",
    at_once: int = 1,
) -> int:
    """Have the model score the candidates of every query that has no answer in a file yet.

    Args:
        examples: The queries, and the functions to choose from.
        near: The candidates of each query.
        chat: Who answers.
        path: The file of predictions, which is continued.
        run: That the predictions name.
        evaluation: That the predictions name (default: the examples' task).
        at_once: As in `ask_each`.

    Returns:
        How many queries remain without an answer.
    """
    pool, first = pool_of(examples), code_search.first_with(examples)
    questions = []
    for example in (e for e in examples if e.id in near):
        mine, right = near[example.id], first[example.inputs["code"]]
        messages = partial(
            code_search.scoring_messages, example.inputs["query"], [pool[c] for c in mine]
        )
        questions.append(
            Question(evaluation or example.task, example.id, messages, partial(_rank, mine, right))
        )
    # Ten tokens hold a line of `[number] score`.
    new_tokens = 10 * max(map(len, near.values()), default=1)
    return ask_each(questions, chat, path, run, new_tokens, at_once)


def _rank(mine: list[str], right: str, raw: str) -> Answer:
    scores, rule = code_search.read_scores(raw, len(mine)), "number and score of each"
    if scores is None:
        return Answer("", rule)
    return Answer(str(code_search.rank_of(scores, mine.index(right)) if right in mine else 0), rule)
