"""Roslyn's parser diagnostics by severity."""

from mtpeft.scoring.roslyn import RoslynScorer


def scorer() -> RoslynScorer:
    """Roslyn under the correct rule."""
    return RoslynScorer(
        "roslyn-corrected", ("roslyn_parse_errors", "roslyn_parse_warnings"), published=False
    )
