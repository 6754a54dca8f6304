"""The checks: functions that read a transcript and note in a ledger what holds."""
