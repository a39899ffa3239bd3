"""What a launch left in its folder, as rows of the store. Reads files; measures nothing."""
