"""Charts from plain data (`reports.charts.data`): as SVG inside a page, and as SVG, PDF and PNG files with alt text."""
