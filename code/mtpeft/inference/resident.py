"""One base model in memory and any number of adapters on it, so that several runs answer from the
weights of one.

Adapters are not merged: an answer is that of `backends.Transformers` up to the rounding of the
adapters' own products.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mtpeft.core.errors import UnknownName
from mtpeft.inference.backends import loaded, swift_dtype
from mtpeft.inference.generate import Generated, generate
from mtpeft.models.base import positions_of
from mtpeft.models.device import local

NONE = ""
"""In place of an adapter: the base as it is."""


class Resident:
    """A base model with adapters.

    Args:
        source: Folder of the base.
        adapters: Folders of adapters, by the names that callers use.
        dtype: Torch's name of the type of weights that are not quantized; empty: `swift_dtype`.
        four_bit: Whether the base is loaded in NF4 (QLoRA).
    """

    def __init__(
        self,
        source: str,
        adapters: Mapping[str, Path],
        dtype: str = "",
        four_bit: bool = False,
    ) -> None:
        model, self.tokenizer = loaded(source, dtype or swift_dtype(), four_bit)
        # PEFT makes modules of the names, which may hold no dot.
        self._names = {name: f"adapter{number}" for number, name in enumerate(adapters)}
        for name, folder in adapters.items():
            if name == next(iter(adapters)):
                from peft import PeftModel

                model = PeftModel.from_pretrained(
                    model, str(folder), adapter_name=self._names[name]
                )
            else:
                model.load_adapter(str(folder), adapter_name=self._names[name])
        self.model: Any = (model if four_bit else model.to(local())).eval()

    @property
    def positions(self) -> int | None:
        """The most tokens of prompt and answer together; None where the model names no limit."""
        return positions_of(self.model.config)

    def tokens(self, prompt: str) -> int:
        """How many tokens a prompt has."""
        return len(self.tokenizer(prompt, add_special_tokens=False)["input_ids"])

    @property
    def mixes(self) -> bool:
        """Whether prompts of several adapters can be answered in one batch: PEFT can for LoRA."""
        configs = getattr(self.model, "peft_config", {}).values()
        return all(c.peft_type == "LORA" and not c.use_dora for c in configs)

    def answers(
        self,
        adapters: str | Sequence[str],
        prompts: Sequence[str],
        new_tokens: int,
        told: Callable[[list[list[int]]], None] | None = None,
    ) -> list[Generated]:
        """Greedy answers to one batch, in the order of the prompts.

        Args:
            adapters: Which adapter answers, one for all or one for each (see `mixes`); `NONE`: the
                base alone.
            prompts: The texts, chat template included.
            new_tokens: The most tokens of an answer.
            told: As in `generate`.

        Raises:
            UnknownName: There is no such adapter.
        """
        wanted = [adapters] if isinstance(adapters, str) else list(dict.fromkeys(adapters))
        for adapter in wanted:
            if adapter and adapter not in self._names:
                raise UnknownName("adapter", adapter, self._names)
        if len(wanted) > 1:
            names = [self._names[name] if name else "__base__" for name in adapters]
            return generate(
                self.model, self.tokenizer, list(prompts), new_tokens, told=told, adapters=names
            )
        alone: Any = nullcontext()
        if wanted[0]:
            self.model.set_adapter(self._names[wanted[0]])
        elif self._names:
            alone = self.model.disable_adapter()
        with alone:
            return generate(self.model, self.tokenizer, list(prompts), new_tokens, told=told)
