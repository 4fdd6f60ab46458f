"""What each endpoint does: one module a resource, one function an operation, named as in the published schema."""
