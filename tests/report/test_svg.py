import numpy as np

from posology.report.svg import to_svg
from posology.report.table1.plots import plot_doses


def test_the_same_figure_gives_the_same_bytes_in_the_pages_colours():
    def draw(name):
        figure = plot_doses(np.array([10.0, 30.0]), np.array([12.0, 28.0]), "mg")
        return to_svg(figure, name, 'said "so" & <so>')

    assert draw("one") == draw("one")
    assert "var(--series-0)" in draw("one")
    assert "var(--ink)" in draw("one")
    assert "#04040" not in draw("one")
    assert 'aria-label="said &quot;so&quot; &amp; &lt;so&gt;"' in draw("one")
    assert 'id="one-axes_1"' in draw("one")
    assert 'id="two-axes_1"' in draw("two")


def test_a_dollar_sign_does_not_start_a_formula():
    figure = plot_doses(np.ones(1), np.ones(1), "$\\frac{1}$")
    assert "$\\frac{1}$" in to_svg(figure, "f", "alt")
