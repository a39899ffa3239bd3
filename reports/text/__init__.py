"""What every report is written with: numbers, names, lines and tables as text."""
