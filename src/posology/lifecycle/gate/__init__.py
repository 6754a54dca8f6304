"""Whether a challenger may replace the champion, and how often that may be tried."""
