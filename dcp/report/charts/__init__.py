"""Charts as SVG text, to stand inside a page: coloured by the page's CSS, text as text. matplotlib draws them."""

from dcp.report.charts.canvas import DASHES, dash_of, swatch
from dcp.report.charts.curves import Curve, curves
from dcp.report.charts.estimates import Estimate, Row, estimates

__all__ = ["DASHES", "Curve", "Estimate", "Row", "curves", "dash_of", "estimates", "swatch"]
