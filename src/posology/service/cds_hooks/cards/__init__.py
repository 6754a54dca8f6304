"""Cards: what a recommendation says, as CDS Hooks shows it."""
