"""A report as data: the tables and the document that stand alone, and that a page carries along."""
