"""Which names a server answers to, and which weights stand behind each.

`RUN` is the model of a run in free conversation, `RUN:EVALUATION` the same model with the prompt of
a task around what the user says, and the backbone's id the base model as it came. An untuned run is
its base model, in those prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.catalog import Evaluation, Run, catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.corpora.weights import model_folder, source_of
from mtpeft.inference.command import four_bit
from mtpeft.inference.resident import NONE
from mtpeft.inference.settings import InferenceProfile
from mtpeft.inference.trained import weights_of
from mtpeft.tasks.encoding import has_heads

NEW_TOKENS = 512
"""The most tokens of an answer in a free conversation, where the request does not say."""


@dataclass(frozen=True)
class Weights:
    """A model that is loaded once.

    Attributes:
        source: Folder of the base model, or of a run that was trained in full.
        four_bit: Whether it is loaded in NF4.
        adapters: Folders by run.
    """

    source: str
    four_bit: bool = False
    adapters: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """One name of the server.

    Attributes:
        name: What clients call it.
        weights: The position of its weights among those of the server.
        adapter: The run whose adapter answers; empty for the weights alone.
        task: Whose prompt is put around the user's message; empty for a free conversation.
        language: Of the code that is written or described.
        source_language: Of the code that is shown, where it differs.
        regime: Of the run, which the study's wording depends on.
        new_tokens: The most tokens of an answer, where the request does not say.
    """

    name: str
    weights: int
    adapter: str = NONE
    task: str = ""
    language: str = ""
    source_language: str = ""
    regime: str = "mt"
    new_tokens: int = NEW_TOKENS


@dataclass(frozen=True)
class Choice:
    """What a person asked to be served.

    Attributes:
        names: Ids of runs and of backbones.
        training: Profile of the training.
        seed: Of the training.
        adapter: Folder in place of the only run's own.
        backbone: Folder in place of the runs' own base.
        profile: Wording and lengths of the tasks' prompts.
    """

    names: Sequence[str]
    training: str
    seed: int
    adapter: Path | None
    backbone: str
    profile: InferenceProfile


def models(choice: Choice) -> tuple[list[Weights], list[Model]]:
    """What is loaded, and the names that it answers to.

    Raises:
        UnknownName: A name is neither a run nor a backbone.
        MtpeftError: A run is not trained, or answers no text.
    """
    known = catalog()
    if choice.adapter and len(choice.names) != 1:
        raise MtpeftError(
            f"--adapter with {len(choice.names)} runs", "one run", "name one run, or no --adapter"
        )
    weights: list[Weights] = []
    found: dict[str, Model] = {}
    bases: dict[str, int] = {}
    for name in dict.fromkeys(choice.names):
        if name in known.backbones:
            bases.setdefault(name, _at(weights, Weights(_source(name, choice)), alone=True))
            continue
        if name not in known.runs:
            raise UnknownName("run or backbone", name, [*known.runs, *known.backbones])
        run = known.usable_run(name)
        place, whole = _of_run(run, choice, weights)
        if not whole:
            bases.setdefault(run.backbone, place)
        for model in _names(run, choice.profile, place, NONE if whole else name):
            found[model.name] = model
    for name, place in bases.items():
        found[name] = Model(name, place)
    return weights, list(found.values())


def _source(backbone: str, choice: Choice) -> str:
    if choice.backbone:
        return model_folder(choice.backbone)
    return source_of(catalog().get("backbones", backbone))


def _of_run(run: Run, choice: Choice, weights: list[Weights]) -> tuple[int, bool]:
    """The position of a run's weights, and whether they are a model of its own."""
    if has_heads(run):
        raise MtpeftError(
            f"{run.id} answers with a class or a rank and writes no text",
            "runs that write code or text",
            f"mtpeft infer run {run.id}",
        )
    if run.regime == "untuned" and not choice.adapter:
        base = Weights(
            _source(run.backbone, choice), four_bit(catalog().get("methods", run.method))
        )
        return _at(weights, base), True
    result, _ = weights_of(run.id, choice.training, choice.seed, choice.adapter)
    if not (result / "adapter_config.json").is_file():
        return _at(weights, Weights(str(result))), True
    wanted = Weights(_source(run.backbone, choice), four_bit(catalog().get("methods", run.method)))
    place = _at(weights, wanted)
    weights[place].adapters[run.id] = result
    return place, False


def _at(weights: list[Weights], wanted: Weights, *, alone: bool = False) -> int:
    """The position of these weights, in four bits as well where only the base is `alone` wanted."""
    for place, known in enumerate(weights):
        if known.source == wanted.source and (alone or known.four_bit == wanted.four_bit):
            return place
    weights.append(wanted)
    return len(weights) - 1


def _names(run: Run, profile: InferenceProfile, place: int, adapter: str) -> list[Model]:
    return [
        Model(run.id, place, adapter, regime=run.regime),
        *(
            Model(
                f"{run.id}:{shown.id}",
                place,
                adapter,
                task,
                shown.language,
                shown.source_language,
                run.regime,
                profile.decoding(task).new_tokens,
            )
            for task in run.tasks
            for shown in distinct(catalog().get("tasks", task).evaluations)
        ),
    ]


def distinct(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The first evaluation set of each pair of languages: others ask the same in the same words."""
    first: dict[tuple[str, str], Evaluation] = {}
    for evaluation in evaluations:
        first.setdefault((evaluation.source_language, evaluation.language), evaluation)
    return list(first.values())
