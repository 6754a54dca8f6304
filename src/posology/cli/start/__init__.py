"""Commands to begin with: the demonstration, the virtual clinic, the check of this machine."""
