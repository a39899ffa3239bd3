"""Would another machine agree? Two capsules into a verdict, its first difference and the likely cause."""
