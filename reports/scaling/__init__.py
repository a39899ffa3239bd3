"""How does it scale? A study as a table, a sentence, a screen and a document."""
