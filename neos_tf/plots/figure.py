"""What all figures share: colours, the figure that is drawn into, and its legend."""

from matplotlib import rcParams
from matplotlib.figure import Figure

COLOURS = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
GREY = "#8c959f"


def new_figure(figure, size):
    return Figure(figsize=size, layout="constrained") if figure is None else figure


def add_legend(figure, handles) -> None:
    """Below, in as many columns as the labels leave room for."""
    if handles:
        size = rcParams["font.size"] / 72  # inches; a letter is about 0.6 as wide as it is high, a handle takes 4 of it
        width = size * (4 + 0.6 * max(len(handle.get_label()) for handle in handles))
        n_columns = max(1, min(len(handles), int(figure.bbox.width / figure.dpi / width)))
        figure.legend(handles=handles, loc="outside lower center", ncols=n_columns)
