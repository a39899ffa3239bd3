"""What was learned: accuracy, curves, classes, beside what others published, and why it is low."""
