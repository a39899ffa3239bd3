"""The report as a page: what stands in it (`sections`), as plain blocks (`blocks`), and how it looks (the template)."""
