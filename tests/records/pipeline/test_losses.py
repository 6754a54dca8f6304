"""Which sources are said to have lost rows."""

from posology.records.pipeline.losses import describe_loss, find_losses


def counted(source: str, events: int) -> dict:
    return {"source": source, "family": "LAB", "events": events}


def lost(source: str, rows: int, field: str = "subject") -> dict:
    return {"source": source, "rule": "unreadable", "field": field, "rows": rows}


def test_one_rejected_resource_of_a_hundred_files_is_no_loss() -> None:
    files = [counted(f"fhir/{n}.json", 1) for n in range(99)]
    assert find_losses(files, [lost("fhir/99.json", 1)]) == []
    losses = find_losses(files, [lost(f"fhir/{n}.json", 1) for n in range(99, 110)])
    assert [describe_loss(loss) for loss in losses] == [
        "fhir/*.json (110 small files) lost 10.0% of 110 rows"
    ]


def test_images_are_judged_together_whatever_their_names() -> None:
    images = [counted(f"d/{n}.dcm", 2) for n in range(50)] + [counted(f"d/{n}", 2) for n in "abc"]
    losses = find_losses(images, [lost("d/50.dcm", 1), lost("d/d", 1)])
    assert [describe_loss(loss) for loss in losses] == ["d/* (4 small files) lost 14.3% of 7 rows"]


def test_large_files_tables_and_lone_files_are_judged_alone() -> None:
    counts = [counted("fhir/a.json", 60), counted("fhir/b.json", 19), counted("t/a.csv", 2)]
    rejected = [lost("fhir/a.json", 4), lost("fhir/b.json#value", 1), lost("t/b.csv", 2)]
    losses = find_losses(counts, rejected)
    assert [(loss["source"], loss["lost"], loss["rows"]) for loss in losses] == [
        ("t/b.csv", 2, 2),
        ("fhir/a.json", 4, 64),
    ]


def test_a_rejected_part_counts_for_its_file_even_if_the_file_gave_no_event() -> None:
    rejected = [lost("a.ndjson", 1), lost("a.ndjson#value", 1), lost("a.ndjson", 9, "status")]
    assert find_losses([], rejected) == [{"source": "a.ndjson", "lost": 2, "rows": 2}]
