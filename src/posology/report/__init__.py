"""What was measured, for people: one HTML file, and a table on the screen."""
