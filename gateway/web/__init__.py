"""The HTTP faces: webhooks of providers, and the private API of the merchant's services."""
