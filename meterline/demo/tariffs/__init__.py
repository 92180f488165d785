"""The tariffs of the generated operator, as files that people can read: two for mobile service, two for power."""
