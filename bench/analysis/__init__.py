"""Pure functions: rows in, findings out. No files, no devices, no clock, no printing."""
