import numpy as np
from matplotlib.figure import Figure

from posology.report.plots import (
    label_axes,
    label_rows,
    learning_figures,
    plot_learning,
    wrap_label,
)


def line(axes, at):
    return np.asarray(axes.lines[at].get_xdata()), np.asarray(axes.lines[at].get_ydata())


def test_training_and_validation_curves_share_a_panel():
    epochs = [
        {"epoch": 1, "train_loss": 3.0, "validation_loss": 3.1, "seconds": 9.0},
        {"epoch": 2, "train_loss": 2.0, "validation_loss": 2.5},
    ]
    loss, seconds = plot_learning(epochs).axes
    assert loss.get_title(loc="left") == "loss"
    assert [t.get_text() for t in loss.get_legend().get_texts()] == ["train", "validation"]
    assert line(loss, 1)[1].tolist() == [3.1, 2.5]
    assert line(seconds, 0)[0].tolist() == [1]
    assert len(plot_learning([]).axes) == 1


def test_the_alternative_text_has_first_and_last_values():
    epochs = [
        {"epoch": 1, "train_loss": 3.0, "validation_loss": 3.14159},
        {"epoch": 2, "train_loss": 2.0, "validation_loss": 2.5},
    ]
    (figure,) = learning_figures([("first", epochs), ("never begun", [])])
    assert figure.caption == "first"
    assert figure.svg.startswith(
        '<svg role="img" aria-label="Learning curves, first, 2 epochs: '
        'train loss 3 to 2; validation loss 3.14 to 2.5"'
    )


def test_axes_mark_thousands_as_the_page_does():
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0.0, 0.25], [-4_000, 12_000])
    label_axes(axes, "share", "Mean outcome (EUR)")
    figure.draw_without_rendering()
    shown = [[t.get_text() for t in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)]
    assert "0.10" in shown[0]
    assert {"12,000", "\u22124,000"} <= set(shown[1])


def test_a_label_is_wrapped_and_never_cut():
    """The second was cut to `SGLT2 inhibitor (empagliflozin) for…`."""
    names = ["usual care", "SGLT2 inhibitor (empagliflozin) for all patients of the clinic"]
    names += ["MEASUREMENT//" + 12 * "0123456789"]
    for name in names:
        assert wrap_label(name).replace("\n", " ").replace(" ", "") == name.replace(" ", "")
        assert max(len(line) for line in wrap_label(name).splitlines()) <= 36
    figure = Figure(figsize=(5.6, 2.0), layout="constrained")
    axes = figure.add_subplot()
    label_axes(axes, names[1], "")
    label_rows(axes, names, 0.34)
    shown = [label.get_text() for label in axes.get_yticklabels()][::-1]
    assert shown == [wrap_label(name) for name in names]
    figure.draw_without_rendering()
    height = figure.get_figheight() / 3
    assert height > 4 * 10 / 72, "four lines of ten points fit into a row"
    for label in [*axes.get_yticklabels(), axes.xaxis.label]:
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
