"""Monitor a saved policy on the records of the months since."""
