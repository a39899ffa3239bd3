from dataclasses import replace

from tests.reports.figures.fabricated_charts import bars, texts


def test_a_long_label_of_a_bar_keeps_its_end():
    labels = ("ddp on 2 ranks over 2 nodes with 4 cores", "ddp on 2 ranks over 2 nodes with 8 cores")
    made = bars()
    found = tuple(replace(bar, label=label) for bar, label in zip(made.bars, labels, strict=False))
    said = texts(replace(made, bars=found))
    assert sum(each.startswith("ddp on 2") and each.endswith("4 cores") for each in said) == 1
    assert sum(each.startswith("ddp on 2") and each.endswith("8 cores") for each in said) == 1
