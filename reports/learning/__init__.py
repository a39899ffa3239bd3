"""What was learned, beside what others published, and why it is low."""
