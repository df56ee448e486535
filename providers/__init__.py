"""Payment providers: pure functions from bytes, secrets and a time to payment events."""
