"""The search for the smallest weather that breaks a client, and one example under a weather."""
