"""A trained run by its id, or a folder with its weights, made ready to be loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.catalog import Run, catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.objects import read_object
from mtpeft.corpora.weights import fingerprint, model_folder, source_of

TEXT_PARTS = ("adapter", "model")
"""Folders of a seed that hold the weights of a language model: an adapter, or all of them."""
PARTS = ("best", *TEXT_PARTS)
"""Folders of a seed that hold its weights: those of heads first."""
IDENTITY = ("base_weights", "tokenizer")


@dataclass(frozen=True)
class Trained:
    """Where a trained run lies and what it is.

    Attributes:
        name: The run.
        called: The words that name it in a command: id, profile and seed, or a folder.
        place: The folder of its seed, or the folder that a person named.
        folder: The folder with its weights, where it is tuned.
        tasks: What it was trained on.
        heads: Whether it is an encoder with heads, in place of a language model.
        whole: Whether the folder holds a whole language model, in place of an adapter.
        backbone: The base model's id in the catalog.
        method: The method's id in the catalog.
        base: Hashes of the base model that it was trained on; empty where it does not say.
        regime: `st`, `mt`, or `untuned`: the base model as it is.
        wording: Of the prompts that a language model was trained with.
    """

    name: str
    called: str
    place: Path
    folder: Path
    tasks: tuple[str, ...]
    heads: bool
    whole: bool
    backbone: str
    method: str
    base: dict[str, str]
    regime: str = "mt"
    wording: str = "own"

    def source(self, backbone: str = "") -> str:
        """The folder of its base model.

        Args:
            backbone: A folder in place of the catalog's model.

        Raises:
            MtpeftError: It has another base model.
        """
        found = model_folder(backbone) if backbone else source_of(self._entry())
        wrong = [k for k, v in fingerprint(found).items() if self.base.get(k, v) != v]
        if wrong:
            raise MtpeftError(
                f"{wrong[0]} of {found} are not those that {self.name} was trained on",
                f"{self.backbone} with {wrong[0]} {self.base[wrong[0]][:12]}",
                "--backbone FOLDER with these weights",
            )
        return found

    def _entry(self) -> Any:
        return catalog().get("backbones", self.backbone)


def trained(name: str, training: str = "fast", seed: int = 42) -> Trained:
    """A trained run.

    Args:
        name: Its id in the catalog, the folder of a seed, or a folder of `mtpeft train export`.
        training: Profile of the training; of an id.
        seed: Of the training; of an id.

    Raises:
        UnknownName: It is neither.
        MtpeftError: There are no weights.
        BadInput: Its folder does not say what it is.
    """
    if name in catalog().runs or not Path(name).is_dir():
        known = catalog().usable_run(name)
        if known.regime == "untuned":
            return _untuned(known)
        place = paths.seed_folder(training, name, seed)
        called = f"{name} --profile {training} --seed {seed}"
        fix = f"mtpeft train run {called}"
    else:
        place, called, fix = Path(name), name, "mtpeft train export RUN FOLDER"
    folder = next((place / p for p in PARTS if (place / p).is_dir()), place)
    if not any(folder.glob("*.safetensors")):
        raise MtpeftError(
            f"no weights of {name} at {paths.shown(place)}",
            "a trained run, or a folder of mtpeft train export",
            fix,
        )
    if (folder / "heads.safetensors").is_file():
        from mtpeft.models.shared import about

        told = about(folder)
        tasks, heads = tuple(told["outputs"]), True
    else:
        told, heads = _provenance(folder), False
        entry = catalog().usable_run(str(told["run"]))
        told = {"backbone": entry.backbone, "method": entry.method, **told}
        told["regime"], tasks = entry.regime, tuple(entry.tasks)
    return Trained(
        str(told["run"]),
        called,
        place,
        folder,
        tasks,
        heads,
        not heads and not (folder / "adapter_config.json").is_file(),
        str(told["backbone"]),
        str(told["method"]),
        {k: str(told[k]) for k in IDENTITY if k in told},
        told.get("regime", "mt"),
        str(read_json(place / "settings.json").get("wording", "own")),
    )


def _untuned(run: Run) -> Trained:
    """A run that is its base model as it is: there is nothing to load on it."""
    return Trained(
        name=run.id,
        called=run.id,
        place=Path(),
        folder=Path(),
        tasks=tuple(run.tasks),
        heads=False,
        whole=True,
        backbone=run.backbone,
        method=run.method,
        base={},
        regime="untuned",
    )


def weights_of(
    name: str, training: str, seed: int, adapter: Path | None = None
) -> tuple[Path, list[Path]]:
    """Where the adapter or full model of a run lies, of which nothing else need be known.

    Args:
        name: Of the run.
        training: Profile of the training.
        seed: Of the training.
        adapter: Folder in place of the run's own.

    Returns:
        The folder and its files of weights.

    Raises:
        MtpeftError: There is none.
    """
    folder = paths.seed_folder(training, name, seed)
    result = adapter or next((p for part in TEXT_PARTS if (p := folder / part).is_dir()), None)
    weights = (
        sorted(p for kind in ("safetensors", "bin") for p in result.glob(f"*.{kind}"))
        if result
        else []
    )
    if result is None or not weights:
        raise MtpeftError(
            f"no adapter of {name} at {adapter or paths.shown(folder)}",
            "a trained adapter or model",
            f"mtpeft train {name} --profile {training} --seed {seed}, or --adapter FOLDER",
        )
    return result, weights


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that training wrote; empty where there is no file.

    Raises:
        BadInput: It holds anything else.
    """
    if not path.is_file():
        return {}
    expected = "the JSON object that mtpeft train wrote"
    return read_object(path, expected, "train the run again: mtpeft train run --help")


def _provenance(folder: Path) -> dict[str, Any]:
    """What training wrote beside the weights of a language model."""
    found = sorted(folder.glob("*.safetensors.provenance.json"))
    if not found:
        raise BadInput(
            folder,
            "no *.safetensors.provenance.json, which says of which run the weights are",
            "the adapter or model that mtpeft train wrote",
            "name the run by its id: mtpeft list runs",
        )
    told = read_json(found[0])
    if not isinstance(told.get("run"), str):
        raise BadInput(
            found[0],
            "no run",
            "the provenance that mtpeft train wrote",
            "name the run by its id: mtpeft list runs",
        )
    return told
