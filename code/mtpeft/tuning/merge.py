"""`mtpeft merge`: an adapter folded into its base, as one model that needs no PEFT."""

from pathlib import Path

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.objects import read_object
from mtpeft.core.text import first_line
from mtpeft.corpora.weights import fingerprint
from mtpeft.models.base import complete, quietly, understood


def merge(adapter: Path, source: str, target: Path, dtype: str = "float32") -> Path:
    """Write base + adapter as a plain model folder.

    Args:
        adapter: Folder of the adapter.
        source: The base, in full precision: 4-bit weights lose by merging.
        target: The folder to write.
        dtype: Torch's name of the type of the merged weights.

    Returns:
        `target`.

    Raises:
        BadInput: `adapter` is no adapter.
        MtpeftError: There is no base, or it is not the one that the adapter was trained on.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (adapter / "adapter_config.json").is_file():
        raise BadInput(
            adapter, "no adapter_config.json", "a folder with a PEFT adapter", "mtpeft train RUN"
        )
    told = read_object(adapter / "adapter_config.json", "the configuration of a PEFT adapter", "")
    named = told.get("base_model_name_or_path") == source
    try:
        with quietly(), understood(source):
            read = AutoModelForCausalLM.from_pretrained(
                source,
                dtype=getattr(torch, dtype),
                revision=told.get("revision") if named else None,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # `complete` refuses them by name
            )
    except OSError as error:
        raise MtpeftError(
            f"no base model {source}: {first_line(error)}",
            "a folder or a hub id",
            "--backbone FOLDER",
        ) from error
    _same_base(adapter, source)
    base = complete(source, *read)
    merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload(safe_merge=True)
    merged.save_pretrained(target)
    AutoTokenizer.from_pretrained(str(adapter)).save_pretrained(target)
    return target


def _same_base(adapter: Path, source: str) -> None:
    """Make sure that a folder holds the base that an adapter was trained on, where its record says
    which.
    """
    for record in adapter.glob("*.provenance.json"):
        trained = read_object(record, "what the adapter was made of", "").get("base_weights")
        found = fingerprint(source)["base_weights"] if Path(source).is_dir() else trained
        if trained and found and trained != found:
            raise MtpeftError(
                f"base_weights of {source} are not those that {adapter} was trained on",
                f"a base with base_weights {trained[:12]}, not {found[:12]}",
                "--backbone FOLDER with these weights",
            )


def base_of(adapter: Path) -> str:
    """The base model that an adapter's configuration names.

    Raises:
        BadInput: `adapter` is no adapter.
    """
    path = adapter / "adapter_config.json"
    if not path.is_file():
        raise BadInput(
            adapter, "no adapter_config.json", "a folder with a PEFT adapter", "mtpeft train RUN"
        )
    expected, fix = "the configuration of a PEFT adapter", "--backbone names the base model"
    base = read_object(path, expected, fix).get("base_model_name_or_path")
    if not isinstance(base, str):
        raise BadInput(path, f"base_model_name_or_path is {base!r}", expected, fix)
    return base
