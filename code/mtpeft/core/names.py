"""Names from outside that become paths: they stay inside the folder that they are meant for."""

import re

from mtpeft.core.errors import MtpeftError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~=@-]*")
"""What a name from outside may be, so that it can be a file's.

No blank, no slash, no leading dot or hyphen.
"""
LONGEST_NAME = 200


def safe_name(text: str, what: str) -> str:
    """`text`, where it can be the name of a file or folder and nothing else.

    Args:
        text: A name from outside: an option, an id of a catalog, a field of a record.
        what: What it names, for the message.

    Raises:
        MtpeftError: It is empty, too long, or has a sign that no name has.
    """
    if not NAME.fullmatch(text) or len(text) > LONGEST_NAME:
        raise MtpeftError(
            f"{what} {text[:LONGEST_NAME]!a}",
            "letters, digits and any of . _ + ~ = @ - (not first: . + ~ = @ -), "
            f"at most {LONGEST_NAME}",
            "choose another name",
        )
    return text


def safe_path(text: str, what: str) -> str:
    """`text`, where it is one or more safe names with slashes between, as ids of runs are."""
    for part in text.split("/"):
        safe_name(part, f"{what} {text!a}:" if part != text else what)
    return text
