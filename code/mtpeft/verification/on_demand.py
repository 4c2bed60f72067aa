"""What became of the printed values of studies that are imported on demand, study by study."""

from collections import Counter
from collections.abc import Iterable

from mtpeft.catalog import Catalog
from mtpeft.catalog.places import how_to_import, published, waiting
from mtpeft.core.paths import REGENERATED
from mtpeft.core.records import VERDICTS, PublishedCell, Verdict, read_records, read_rows


def counts(known: Catalog, verdicts: Iterable[Verdict]) -> list[str]:
    """Lines for people: how many values of each study have which verdict, and by which causes; for
    a study that is not imported, the command that imports it.
    """
    by_id = {v.id: v for v in verdicts if v.tier == "T1" and v.kind == "cell"}
    absent = {study.id for study in waiting(known)}
    lines = []
    for study in known.studies.values():
        if not study.on_demand or study.id in absent:
            continue
        cells = read_records(published(study) / "statistics.csv", PublishedCell)
        mine = [by_id[cell.id] for cell in cells if cell.id in by_id]
        found = Counter(v.verdict for v in mine)
        words = ", ".join(f"{found[name]} {name}" for name in VERDICTS if found[name])
        lines.append(f"{study.id}: {len(mine)} of {len(cells)} printed values judged: {words}")
        lines += _causes(mine)
    return lines + how_to_import(known)


def _causes(verdicts: list[Verdict]) -> list[str]:
    """One line for each kind of cause, the most frequent first; last, what has none."""
    if not any(v.verdict == "differs" for v in verdicts):
        return []
    causes = read_rows(REGENERATED / "audit" / "causes.csv")
    kinds = {cause["key"]: cause["kind"] for cause in causes}
    found = Counter(kinds.get(v.cause, v.cause) for v in verdicts if v.verdict == "differs")
    unknown = found.pop("", 0)
    lines = [f"    {number:5} differ: {kind}" for kind, number in found.most_common()]
    return lines + ([f"    {unknown:5} differ without a known cause"] if unknown else [])
