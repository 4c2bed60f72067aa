"""How predictions are made: the clean way, or as the study did it."""

from dataclasses import dataclass, field

from mtpeft.core.errors import UnknownName


@dataclass(frozen=True)
class TaskDecoding:
    """Greedy decoding of one task.

    Attributes:
        new_tokens: The most tokens of an answer.
        batch_size: Prompts at a time, where the profile fixes it (0: by `tokens_in_flight`).
        input_tokens: Prompts are cut to so many tokens, from the right, as the study's tokenizer
            call did (0: never).
        forced_template: Use the Human/Assistant layout instead of the tokenizer's own.
        as_configured: With what a bare call inherits from the model's generation_config (see
            `generate.as_configured`).
    """

    new_tokens: int = 512
    batch_size: int = 0
    input_tokens: int = 0
    forced_template: bool = False
    as_configured: bool = False


@dataclass(frozen=True)
class InferenceProfile:
    """How predictions are made.

    Attributes:
        name: Of the profile.
        wording: Of the prompts.
        faithful_answers: Cut answers as the study cut.
        tokens_in_flight: Prompt and answer tokens of one batch, which bounds the memory of the
            key-value cache where the backend does not measure it.
        tasks: Decoding of tasks that differ from the default.
    """

    name: str
    wording: str = "own"
    faithful_answers: bool = False
    tokens_in_flight: int = 65536
    tasks: dict[str, TaskDecoding] = field(default_factory=dict)

    def decoding(self, task: str) -> TaskDecoding:
        """How a task is decoded."""
        return self.tasks.get(task, TaskDecoding())


PROFILES = {
    "clean": InferenceProfile("clean", tasks={"summarization": TaskDecoding(new_tokens=128)}),
    # Summaries: the study's 512-token limit cuts the end of long prompts, the assistant's header
    # included. Translation: trained with the tokenizer's template, asked with another one.
    "faithful": InferenceProfile(
        "faithful",
        wording="published",
        faithful_answers=True,
        tasks={
            "generation": TaskDecoding(512, 1, as_configured=True),
            "summarization": TaskDecoding(128, 8, input_tokens=512, as_configured=True),
            "translation": TaskDecoding(512, 8, forced_template=True, as_configured=True),
        },
    ),
    # Small models on a CPU: as many prompts at a time as fill a cache of a gigabyte.
    "miniature": InferenceProfile(
        "miniature",
        tokens_in_flight=49152,
        tasks={
            "translation": TaskDecoding(160),
            "package-generation": TaskDecoding(192),
            "package-summarization": TaskDecoding(48),
        },
    ),
    "miniature-quick": InferenceProfile(
        "miniature-quick",
        tasks={
            "translation": TaskDecoding(32),
            "package-generation": TaskDecoding(32),
            "package-summarization": TaskDecoding(16),
        },
    ),
    "smoke": InferenceProfile(
        "smoke",
        tokens_in_flight=32768,
        tasks={
            "summarization": TaskDecoding(48),
            "generation": TaskDecoding(192),
            "translation": TaskDecoding(192),
        },
    ),
}


def profile(name: str) -> InferenceProfile:
    """A profile by name.

    Raises:
        UnknownName: There is no such profile; the error lists the nearest ones.
    """
    if name not in PROFILES:
        raise UnknownName("inference profile", name, PROFILES)
    return PROFILES[name]
