"""Results as self-contained HTML pages and as tables on the terminal."""
