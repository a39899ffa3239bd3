"""What is said while nothing is measured yet: plans, progress and the time left."""
