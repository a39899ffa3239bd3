"""A chart as SVG inside a page, and as SVG, PDF and PNG files: canvas, marks, colours, and what makes an SVG small."""
