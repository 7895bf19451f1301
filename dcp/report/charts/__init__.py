"""Charts as SVG text, to stand inside a page: coloured by the page's CSS, text as text. matplotlib draws them."""
