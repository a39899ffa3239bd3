"""What machine and software a launch ran on. Nothing personal: no names of hosts or people, no paths, no serials."""
