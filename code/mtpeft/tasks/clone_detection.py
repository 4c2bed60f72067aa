"""Clone detection: do two Java methods do the same?"""

from mtpeft.tasks import yes_no

_QUESTION = yes_no.Question(
    "You compare Java methods.",
    "Do these two methods implement the same functionality?",
    ("code1", "code2"),
)

texts, messages = _QUESTION.texts, _QUESTION.messages
label, target, answer = yes_no.label, yes_no.target, yes_no.read
