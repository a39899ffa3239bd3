"""Charts of what was found: one file a chart. As SVG inside a page, and as SVG, PDF and PNG files with alt text."""
