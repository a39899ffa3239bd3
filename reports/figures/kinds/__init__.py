"""What charts of one kind share: bars, and lines over resources."""
